//! The protocol buffer wire format, as far as ONNX needs it.

/// A message under construction. Fields are written in the order of the calls.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// Kinds of value on the wire.
const VARINT: u64 = 0;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    /// A whole number.
    pub fn int(mut self, field: u64, value: i64) -> Self {
        self.key(field, VARINT);
        self.varint(value as u64);
        self
    }

    /// A 32-bit float.
    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, FIXED32);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Bytes or text.
    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.key(field, BYTES);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    /// Text, if there is any.
    pub fn text(self, field: u64, value: &str) -> Self {
        match value {
            "" => self,
            text => self.bytes(field, text.as_bytes()),
        }
    }

    /// A message within.
    pub fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// Several of them.
    pub fn messages(self, field: u64, values: &[Self]) -> Self {
        values.iter().fold(self, |m, v| m.message(field, v))
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the format's documentation: 150 in field 1, "testing" in field 2, and such a message in field 3.
    #[test]
    fn documented_examples() {
        let a = Message::default().int(1, 150);
        assert_eq!(a.0, [0x08, 0x96, 0x01]);
        let c = Message::default().message(3, &a);
        assert_eq!(c.0, [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let b = Message::default().text(2, "testing");
        assert_eq!(b.0, *b"\x12\x07testing");
        assert_eq!(Message::default().int(1, -1).0.len(), 11);
        assert_eq!(Message::default().float(2, 1.0).0, [0x15, 0, 0, 0x80, 0x3f]);
    }
}
