//! Bits on their way into a deflate stream.

/// Bits that are appended to bytes, the lowest first.
pub(super) struct Bits<'a> {
    out: &'a mut Vec<u8>,
    /// Bytes that are complete; behind them is room.
    complete: usize,
    bits: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            complete: out.len(),
            out,
            bits: 0,
            count: 0,
        }
    }

    /// Makes room for so many bits.
    pub fn reserve(&mut self, bits: usize) {
        self.out.resize(self.complete + bits / 8 + 16, 0);
    }

    /// Adds bits; below 57 of them may wait for [`flush`](Self::flush).
    #[inline]
    pub fn put(&mut self, (bits, count): (u64, u32)) {
        self.bits |= bits << self.count;
        self.count += count;
    }

    #[inline]
    pub fn flush(&mut self) {
        self.out[self.complete..self.complete + 8].copy_from_slice(&self.bits.to_le_bytes());
        self.complete += self.count as usize / 8;
        self.bits >>= self.count & !7;
        self.count &= 7;
    }

    /// Fills the last byte with zeros; nothing behind it stays.
    pub fn align(&mut self) {
        self.out.truncate(self.complete);
        if self.count > 0 {
            self.out.push(self.bits as u8);
        }
        (self.bits, self.count, self.complete) = (0, 0, self.out.len());
    }

    /// A block of bytes as they are.
    pub fn stored(&mut self, bytes: &[u8], last: bool) {
        self.reserve(3);
        self.put((last.into(), 3));
        self.flush();
        self.align();
        let length = bytes.len() as u16;
        self.out.extend(length.to_le_bytes());
        self.out.extend((!length).to_le_bytes());
        self.out.extend(bytes);
        self.complete = self.out.len();
    }
}
