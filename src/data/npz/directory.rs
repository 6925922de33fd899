//! The directory of a zip archive: names, places and sizes of its entries (APPNOTE.TXT 6.3, with Zip64).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// The end record is looked for in so many last bytes: itself and the longest comment.
const TAIL: u64 = 22 + 65_535;
/// Largest directory; an npz file has an entry of some 60 bytes for each array.
const LARGEST: u64 = 1 << 20;

/// Largest ratio of sizes that deflate can reach.
const DEFLATE_RATIO: u64 = 1032;

type Found<T> = Result<T, String>;

/// One file of an archive.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    /// Name, such as `arr_0.npy`.
    pub name: String,
    /// First byte of its data in the archive.
    pub start: u64,
    /// Bytes in the archive.
    pub packed: u64,
    /// Bytes when unpacked.
    pub size: u64,
    /// Whether it is deflated; else it is stored.
    pub deflated: bool,
    /// CRC-32 of the unpacked bytes.
    pub crc: u32,
}

/// Fields of a record, little endian; a record that is too short reads as a clear error.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Found<[u8; N]> {
        self.0
            .get(at..at + N)
            .and_then(|b| b.try_into().ok())
            .ok_or_else(|| "the directory is cut short".into())
    }

    fn u16(&self, at: usize) -> Found<u16> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Found<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Found<u64> {
        self.bytes(at).map(u64::from_le_bytes)
    }
}

/// The entries of an archive.
pub(super) fn read(file: &mut File) -> Found<Vec<Entry>> {
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    let tail_start = length.saturating_sub(TAIL);
    let tail = part(file, tail_start, length - tail_start)?;
    let end = tail
        .windows(4)
        .rposition(|w| w == b"PK\x05\x06")
        .ok_or_else(|| {
            format!(
                "{length} bytes without the directory of a zip archive: cut short, or another format"
            )
        })?;
    let record = Fields(&tail[end..]);
    let (mut count, mut size, mut start) = (
        u64::from(record.u16(10)?),
        u64::from(record.u32(12)?),
        u64::from(record.u32(16)?),
    );
    if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
        let locator = end
            .checked_sub(20)
            .map(|at| Fields(&tail[at..]))
            .ok_or("no Zip64 locator")?;
        if locator.u32(0)? == 0x0706_4b50 {
            let bytes = part(file, locator.u64(8)?, 56)?;
            let record = Fields(&bytes);
            if record.u32(0)? != 0x0606_4b50 {
                return Err("no Zip64 end record where the locator points".into());
            }
            (count, size, start) = (record.u64(32)?, record.u64(40)?, record.u64(48)?);
        }
    }
    if size > LARGEST || start.checked_add(size).is_none_or(|e| e > length) {
        return Err(format!(
            "a directory of {size} bytes at {start} in a file of {length}"
        ));
    }
    let directory = part(file, start, size)?;
    let mut entries: Vec<Entry> = Vec::new();
    let mut at = 0;
    for _ in 0..count {
        let Some(record) = directory.get(at..).filter(|rest| !rest.is_empty()) else {
            return Err(format!(
                "the directory ends after {} of {count} entries",
                entries.len()
            ));
        };
        let (entry, next) = entry(file, record, length)?;
        if entries.iter().any(|other| other.name == entry.name) {
            return Err(format!("two entries `{}`", entry.name));
        }
        entries.push(entry);
        at += next;
    }
    Ok(entries)
}

/// The entry that a record of the directory describes, and the record's length.
fn entry(file: &mut File, record: &[u8], length: u64) -> Found<(Entry, usize)> {
    let fields = Fields(record);
    if fields.u32(0)? != 0x0201_4b50 {
        return Err("the directory is damaged".into());
    }
    let [name, extra, comment] = [28, 30, 32].map(|at| fields.u16(at).map(usize::from));
    let (name_len, extra_len, comment_len) = (name?, extra?, comment?);
    let text = |from: usize, len: usize| {
        record
            .get(from..from + len)
            .ok_or("the directory is cut short")
    };
    let name = String::from_utf8_lossy(text(46, name_len)?).into_owned();
    let wrong = |what: String| format!("entry `{name}`: {what}");
    let mut sizes = [
        u64::from(fields.u32(24)?),
        u64::from(fields.u32(20)?),
        u64::from(fields.u32(42)?),
    ];
    zip64(text(46 + name_len, extra_len)?, &mut sizes).map_err(wrong)?;
    let [size, packed, header] = sizes;
    let (flags, method) = (fields.u16(8)?, fields.u16(10)?);
    if flags & 1 != 0 {
        return Err(wrong("encrypted".into()));
    }
    let deflated = match method {
        0 => false,
        8 => true,
        other => {
            return Err(wrong(format!(
                "compression method {other}, expected stored (0) or deflated (8)"
            )));
        }
    };
    let local = part(file, header, 30).map_err(wrong)?;
    let local = Fields(&local);
    if local.u32(0)? != 0x0403_4b50 {
        return Err(wrong(format!("no entry at byte {header}")));
    }
    let start = header + 30 + u64::from(local.u16(26)?) + u64::from(local.u16(28)?);
    if start.checked_add(packed).is_none_or(|end| end > length) {
        return Err(wrong(format!(
            "{packed} bytes at {start} in a file of {length}: cut short"
        )));
    }
    let possible = match deflated {
        true => size / DEFLATE_RATIO <= packed,
        false => size == packed,
    };
    if !possible {
        return Err(wrong(format!(
            "{packed} bytes cannot unpack to {size} bytes"
        )));
    }
    let entry = Entry {
        start,
        packed,
        size,
        deflated,
        crc: fields.u32(16)?,
        name,
    };
    Ok((entry, 46 + name_len + extra_len + comment_len))
}

/// Puts in the sizes that did not fit in 32 bits, in the order in which the extra field has them.
fn zip64(mut extra: &[u8], sizes: &mut [u64; 3]) -> Found<()> {
    while extra.len() >= 4 {
        let fields = Fields(extra);
        let (id, len) = (fields.u16(0)?, usize::from(fields.u16(2)?));
        if id == 1 {
            let large = sizes.iter_mut().filter(|s| **s == 0xffff_ffff);
            for (k, size) in large.enumerate() {
                *size = fields.u64(4 + 8 * k)?;
            }
            return Ok(());
        }
        extra = extra.get(4 + len..).unwrap_or_default();
    }
    Ok(())
}

fn part(file: &mut File, start: u64, len: u64) -> Found<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))
        .and_then(|_| file.take(len).read_to_end(&mut bytes))
        .map_err(|e| e.to_string())?;
    match bytes.len() as u64 == len {
        true => Ok(bytes),
        false => Err(format!("ends before byte {start} + {len}")),
    }
}
