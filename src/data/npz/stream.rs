//! The unpacked bytes of one entry of a zip archive, from any place.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::directory::Entry;

/// Bytes that are read at once, and that are unpacked at once where they are skipped.
const BUFFER: usize = 1 << 16;

/// Reads an entry. One that is deflated has to be unpacked from its beginning: reading goes on where it stopped, and
/// begins anew for what lies before. The checksum is compared when all bytes were read in order.
#[derive(Debug)]
pub(super) struct Stream {
    entry: Entry,
    source: Source,
    crc: Crc,
    /// Bytes that the checksum covers.
    summed: u64,
}

#[derive(Debug)]
enum Source {
    Stored(BufReader<File>),
    Deflated {
        decoder: DeflateDecoder<std::io::Take<File>>,
        /// Bytes unpacked so far.
        at: u64,
    },
}

impl Stream {
    pub fn new(mut file: File, entry: Entry) -> Result<Self, String> {
        let source = match entry.deflated {
            false => Source::Stored(BufReader::with_capacity(BUFFER, file)),
            true => {
                file.seek(SeekFrom::Start(entry.start))
                    .map_err(|e| e.to_string())?;
                let decoder = DeflateDecoder::new(file.take(entry.packed));
                Source::Deflated { decoder, at: 0 }
            }
        };
        Ok(Self {
            entry,
            source,
            crc: Crc::new(),
            summed: 0,
        })
    }

    /// The bytes from `start` on, as many as `out` has; they lie within the entry.
    pub fn read(&mut self, start: u64, out: &mut [u8]) -> Result<(), String> {
        let said = |e: std::io::Error| format!("cannot be unpacked: {e}");
        match &mut self.source {
            Source::Stored(file) => {
                let from = self.entry.start + start;
                let now = file.stream_position().map_err(said)?;
                // Relative, so that what was read ahead is used.
                file.seek_relative(from as i64 - now as i64)
                    .and_then(|()| file.read_exact(out))
                    .map_err(said)?;
            }
            Source::Deflated { .. } => {
                self.skip_to(start)?;
                self.unpack(out)?;
            }
        }
        self.sum(start, out)
    }

    fn skip_to(&mut self, start: u64) -> Result<(), String> {
        let Source::Deflated { decoder, at } = &mut self.source else {
            return Ok(());
        };
        if start < *at {
            let mut file = decoder.get_ref().get_ref();
            file.seek(SeekFrom::Start(self.entry.start))
                .map_err(|e| e.to_string())?;
            let file = file.try_clone().map_err(|e| e.to_string())?;
            *decoder = DeflateDecoder::new(file.take(self.entry.packed));
            *at = 0;
        }
        let mut skipped = vec![0; BUFFER];
        while let Source::Deflated { at, .. } = &self.source
            && *at < start
        {
            let (from, len) = (*at, (start - *at).min(BUFFER as u64) as usize);
            self.unpack(&mut skipped[..len])?;
            self.sum(from, &skipped[..len])?;
        }
        Ok(())
    }

    fn unpack(&mut self, out: &mut [u8]) -> Result<(), String> {
        if let Source::Deflated { decoder, at } = &mut self.source {
            let read = decoder.read_exact(out);
            if let Err(e) = read {
                let what = format!("cannot be unpacked after {at} bytes: {e}");
                // Whatever is read next begins anew.
                *at = u64::MAX;
                return Err(what);
            }
            *at += out.len() as u64;
        }
        Ok(())
    }

    /// Adds bytes to the checksum if they follow those that it covers.
    fn sum(&mut self, start: u64, bytes: &[u8]) -> Result<(), String> {
        let end = start + bytes.len() as u64;
        if (start..=end).contains(&self.summed) {
            self.crc.update(&bytes[(self.summed - start) as usize..]);
            self.summed = end;
        }
        if self.summed == self.entry.size && self.crc.sum() != self.entry.crc {
            return Err("damaged: the checksum of its bytes is not the archive's".into());
        }
        Ok(())
    }
}
