//! Chunks of datasets, packed on threads of their own and written in the order in which they were filled.
//!
//! HDF5 runs its filters in the one thread that writes. Here chunks come to it filtered ([`H5Dwrite_chunk`]), and every reader
//! undoes HDF5's own shuffle and deflate filters. A chunk's bytes follow from its values alone and chunks are written in
//! order, so that neither the number of threads nor their speed shows in a file.

mod bits;
mod chunk;
mod deflate;
mod huffman;

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};

use hdf5::Dataset;
use hdf5_metno as hdf5;
use hdf5_metno_sys::h5::hsize_t;
use hdf5_metno_sys::h5d::H5Dwrite_chunk;
use hdf5_metno_sys::h5p::H5P_DEFAULT;

use chunk::{Chunk, pack};
pub(super) use chunk::{Kind, Packing};

/// Threads at most, and chunks under way for each of them: one that is packed, and two so that none of them waits.
const THREADS: usize = 8;
const AHEAD: usize = 3;

/// What packs a chunk, with memory that it may use.
type Pack = fn(&mut Chunk, &mut Vec<u8>) -> io::Result<()>;

/// Packs and writes the chunks of a file.
#[derive(Debug)]
pub(super) struct Packer {
    pack: Pack,
    /// Those that were needed so far; chunks go to them in turn.
    threads: Vec<Thread>,
    most: usize,
    /// Chunks handed to threads so far.
    begun: usize,
    /// Where the chunks that threads have will be written.
    under_way: VecDeque<Place>,
    spare: Vec<Chunk>,
}

#[derive(Debug)]
struct Thread {
    chunks: Sender<Chunk>,
    packed: Receiver<io::Result<Chunk>>,
}

/// Where a chunk belongs.
#[derive(Debug)]
pub(super) struct Place {
    pub data: Dataset,
    /// Index of its first row.
    pub row: usize,
    /// Extents of the dataset that ends with the chunk, or within it.
    pub extents: Vec<usize>,
}

impl Packer {
    /// With half as many threads as the machine has: others make the showers.
    pub fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with((processors / 2).clamp(1, THREADS), pack)
    }

    fn with(threads: usize, pack: Pack) -> Self {
        Self {
            pack,
            threads: Vec::new(),
            most: threads,
            begun: 0,
            under_way: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// Takes the values of a whole chunk out of `bytes`, which is empty afterwards. An error may be that of a chunk before.
    pub fn take(
        &mut self,
        place: Place,
        bytes: &mut Vec<u8>,
        packing: Packing,
    ) -> hdf5::Result<()> {
        if packing.level == 0 {
            place.write(bytes)?;
            bytes.clear();
            return Ok(());
        }
        if self.under_way.len() == AHEAD * self.most {
            self.write_first()?;
        }
        let index = self.begun % self.most;
        if index == self.threads.len() {
            self.threads.push(Thread::start(self.pack)?);
        }
        let mut chunk = self.spare.pop().unwrap_or_default();
        chunk.packing = packing;
        std::mem::swap(&mut chunk.bytes, bytes);
        bytes.clear();
        (self.threads[index].chunks.send(chunk)).map_err(|_| ended())?;
        self.begun += 1;
        self.under_way.push_back(place);
        Ok(())
    }

    /// Writes what is under way.
    pub fn finish(mut self) -> hdf5::Result<()> {
        while !self.under_way.is_empty() {
            self.write_first()?;
        }
        Ok(())
    }

    fn write_first(&mut self) -> hdf5::Result<()> {
        let first = self.begun - self.under_way.len();
        let Some(place) = self.under_way.pop_front() else {
            return Ok(());
        };
        let chunk = self.threads[first % self.most].packed.recv();
        let chunk = chunk.map_err(|_| ended())?;
        let chunk = chunk.map_err(|e| format!("compressing a chunk: {e}"))?;
        place.write(&chunk.packed)?;
        self.spare.push(chunk);
        Ok(())
    }
}

fn ended() -> hdf5::Error {
    "a thread that compresses has ended before its work".into()
}

impl Thread {
    /// It ends when nobody sends it chunks any more.
    fn start(pack: Pack) -> hdf5::Result<Self> {
        let ((chunks, receive), (send, packed)) = (channel::<Chunk>(), channel());
        let work = move || {
            let mut memory = Vec::new();
            for mut chunk in receive {
                let done = pack(&mut chunk, &mut memory).map(|()| chunk);
                // Nobody listens any more where an error came first.
                if send.send(done).is_err() {
                    return;
                }
            }
        };
        let named = std::thread::Builder::new().name("compression".into());
        let started = named.spawn(work);
        started.map_err(|e| format!("starting a thread that compresses: {e}"))?;
        Ok(Self { chunks, packed })
    }
}

impl Place {
    /// Writes a chunk as it is, up to which the dataset grows.
    fn write(&self, bytes: &[u8]) -> hdf5::Result<()> {
        self.data.resize(self.extents.clone())?;
        let mut offset: Vec<hsize_t> = vec![0; self.data.ndim()];
        let Some(first) = offset.first_mut() else {
            return Err("a dataset without extents has no chunks".into());
        };
        *first = self.row as hsize_t;
        // SAFETY: `self.data` is open as long as it is borrowed, `offset` has as many numbers as it has extents, and of
        // `bytes` so many are read as it has. All else the library checks. The lock is that of all its calls.
        let status = hdf5::sync::sync(|| unsafe {
            H5Dwrite_chunk(
                self.data.id(),
                H5P_DEFAULT,
                0,
                offset.as_ptr(),
                bytes.len(),
                bytes.as_ptr().cast(),
            )
        });
        hdf5::h5check(status).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 500;

    /// Chunks of two datasets in turn, of very different work, through so many threads: the file.
    fn file(threads: usize, pack: Pack) -> hdf5::Result<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chunks.h5");
        let file = hdf5::File::create(&path)?;
        let data = ["a", "b"].map(|name| {
            let data = file.new_dataset::<u32>().chunk(ROWS).shuffle().deflate(2);
            data.obj_track_times(false).shape(0..).create(name).unwrap()
        });
        let value =
            |row: usize| (row * row % 1_000_003) as u32 * u32::from((row / ROWS).is_multiple_of(3));
        let mut packer = Packer::with(threads, pack);
        for chunk in 0..40 {
            let (data, row) = (&data[chunk % 2], chunk / 2 * ROWS);
            let rows = row..row + ROWS;
            let mut bytes = rows.clone().flat_map(|r| value(r).to_ne_bytes()).collect();
            let place = Place {
                data: data.clone(),
                row,
                // The last one ends within its chunk.
                extents: vec![rows.end - if chunk > 37 { 3 } else { 0 }],
            };
            let packing = Packing {
                kind: Kind::Real,
                size: 4,
                level: 2,
            };
            packer.take(place, &mut bytes, packing)?;
            assert!(bytes.is_empty());
        }
        packer.finish()?;
        let wanted: Vec<u32> = (0..20 * ROWS - 3).map(value).collect();
        for data in &data {
            // Through the library's own filters.
            assert!(data.read_raw::<u32>()? == wanted);
        }
        drop(data);
        file.close()?;
        Ok(std::fs::read(path).unwrap())
    }

    #[test]
    fn the_number_of_threads_does_not_show() {
        let one = file(1, pack).unwrap();
        for threads in [2, 5] {
            let slow_at_times = |chunk: &mut Chunk, memory: &mut Vec<u8>| {
                if chunk.bytes[1] == 0 {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                pack(chunk, memory)
            };
            assert!(
                file(threads, slow_at_times).unwrap() == one,
                "{threads} threads"
            );
        }
    }

    #[test]
    fn a_thread_that_fails_is_one_error() {
        let refuses = |chunk: &mut Chunk, memory: &mut Vec<u8>| {
            let zeros = chunk.bytes.iter().all(|&b| b == 0);
            let packed = pack(chunk, memory);
            if zeros {
                Err(io::Error::other("no"))
            } else {
                packed
            }
        };
        let error = file(2, refuses).unwrap_err().to_string();
        assert_eq!(error, "compressing a chunk: no");
        let error = file(3, |_, _| panic!("as asked for"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("ended before its work"), "{error}");
    }
}
