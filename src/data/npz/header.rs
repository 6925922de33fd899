//! The header of an npy array, versions 1 to 3: type, order and extents, written as a Python dictionary.

use std::fmt;

/// Longest header; NumPy's own limit for what it evaluates is 10,000 characters.
pub(super) const LONGEST: usize = 1 << 14;

/// A type of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kind {
    class: Class,
    size: usize,
    big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Class {
    Float,
    Signed,
    Unsigned,
}

/// What stands before the values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub kind: Kind,
    pub fortran: bool,
    pub dims: Vec<usize>,
}

impl Kind {
    fn parse(descr: &str) -> Result<Self, String> {
        let expected = "expected floats of 4 or 8 bytes or whole numbers, such as <f4, >f8 or <i8";
        if descr.contains('O') {
            return Err(format!(
                "holds pickled Python objects ({descr}), {expected}: save it as an array of one numeric type"
            ));
        }
        let wrong = || format!("type {descr}, {expected}");
        let mut chars = descr.chars();
        let (order, class) = (chars.next().ok_or_else(wrong)?, chars.next());
        let size: usize = chars.as_str().parse().map_err(|_| wrong())?;
        let class = match (class, size) {
            (Some('f'), 4 | 8) => Class::Float,
            (Some('i'), 1 | 2 | 4 | 8) => Class::Signed,
            (Some('u'), 1 | 2 | 4 | 8) | (Some('b'), 1) => Class::Unsigned,
            _ => return Err(wrong()),
        };
        let big_endian = match order {
            '<' => false,
            '>' => true,
            '|' if size == 1 => false,
            _ => return Err(wrong()),
        };
        Ok(Self {
            class,
            size,
            big_endian,
        })
    }

    /// Bytes of a value.
    pub fn size(self) -> usize {
        self.size
    }

    /// Whether single precision holds every value.
    pub fn is_single(self) -> bool {
        match self.class {
            Class::Float => self.size == 4,
            Class::Signed | Class::Unsigned => self.size <= 2,
        }
    }

    /// The value that `bytes` are, as many as [`Kind::size`] says.
    pub fn value(self, bytes: &[u8]) -> f64 {
        let mut wide = [0; 8];
        for (k, &byte) in bytes.iter().enumerate() {
            wide[if self.big_endian {
                bytes.len() - 1 - k
            } else {
                k
            }] = byte;
        }
        let bits = u64::from_le_bytes(wide);
        match (self.class, self.size) {
            (Class::Float, 4) => f32::from_bits(bits as u32).into(),
            (Class::Float, _) => f64::from_bits(bits),
            (Class::Unsigned, _) => bits as f64,
            (Class::Signed, size) => {
                // The sign bit moves to the top and back.
                let shift = 64 - 8 * size as u32;
                ((bits << shift) as i64 >> shift) as f64
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Float => "float",
            Class::Signed => "int",
            Class::Unsigned => "uint",
        };
        write!(f, "{class}{}", 8 * self.size)
    }
}

impl Header {
    /// The header at the beginning of `bytes`, and where it ends.
    pub fn parse(bytes: &[u8]) -> Result<(Self, u64), String> {
        let short = || "cut short within its header".to_owned();
        if bytes.len() < 10 || &bytes[..6] != b"\x93NUMPY" {
            return Err("does not begin like an array of NumPy (\\x93NUMPY)".into());
        }
        let (len, from) = match bytes[6] {
            1 => (usize::from(u16::from_le_bytes([bytes[8], bytes[9]])), 10),
            2 | 3 => {
                let len = bytes.get(8..12).ok_or_else(short)?;
                let len = u32::from_le_bytes([len[0], len[1], len[2], len[3]]);
                (usize::try_from(len).map_err(|_| short())?, 12)
            }
            other => return Err(format!("npy format {other}, expected 1, 2 or 3")),
        };
        if len > LONGEST - from {
            return Err(format!("a header of {len} bytes, expected a few hundred"));
        }
        let text = bytes.get(from..from + len).ok_or_else(short)?;
        let text = std::str::from_utf8(text).map_err(|_| "a header that is no text".to_owned())?;
        Ok((Self::of(text)?, (from + len) as u64))
    }

    fn of(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("header {:?}: {what}", text.trim_end());
        let mut words = Words(text);
        let (mut kind, mut fortran, mut dims) = (None, None, None);
        words.expect("{").map_err(|e| wrong(&e))?;
        while !words.take("}") {
            let key = words.string().map_err(|e| wrong(&e))?;
            words.expect(":").map_err(|e| wrong(&e))?;
            match key {
                "descr" if words.begins("[") => {
                    return Err(wrong(
                        "a record of several fields, expected an array of one numeric type",
                    ));
                }
                "descr" => kind = Some(Kind::parse(words.string().map_err(|e| wrong(&e))?)?),
                "fortran_order" => {
                    fortran = Some(words.boolean().map_err(|e| wrong(&e))?);
                }
                "shape" => dims = Some(words.tuple().map_err(|e| wrong(&e))?),
                other => return Err(wrong(&format!("key `{other}`"))),
            }
            if !words.take(",") && !words.begins("}") {
                return Err(wrong("expected , or }"));
            }
        }
        match (kind, fortran, dims, words.0.trim().is_empty()) {
            (Some(kind), Some(fortran), Some(dims), true) => Ok(Self {
                kind,
                fortran,
                dims,
            }),
            _ => Err(wrong("expected descr, fortran_order and shape")),
        }
    }

    /// Values of a row.
    pub fn row(&self) -> usize {
        self.dims
            .iter()
            .skip(1)
            .fold(1, |n: usize, &d| n.saturating_mul(d))
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> Option<u64> {
        self.dims
            .iter()
            .try_fold(self.kind.size() as u64, |n, &d| n.checked_mul(d as u64))
    }

    /// Where value `i` (C order) of row `row` stands in Fortran order, in values.
    pub fn fortran_place(&self, row: usize, mut i: usize) -> usize {
        // From the last axis, which C order counts fastest, each with the product of the extents before it.
        let mut stride: usize = self.dims.iter().product();
        let mut place = row;
        for &d in self.dims[1..].iter().rev() {
            stride /= d;
            place += i % d * stride;
            i /= d;
        }
        place
    }
}

/// What is left to read of a text.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn begins(&mut self, word: &str) -> bool {
        self.0 = self.0.trim_start();
        self.0.starts_with(word)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.begins(word);
        if found {
            self.0 = &self.0[word.len()..];
        }
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        match self.take(word) {
            true => Ok(()),
            false => Err(format!("expected {word}")),
        }
    }

    fn string(&mut self) -> Result<&'a str, String> {
        let quote = if self.take("'") { '\'' } else { '"' };
        if quote == '"' {
            self.expect("\"")?;
        }
        let (text, rest) = self.0.split_once(quote).ok_or("a string without end")?;
        self.0 = rest;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool, String> {
        if self.take("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        self.expect("(")?;
        let mut values = Vec::new();
        while !self.take(")") {
            self.0 = self.0.trim_start();
            let end = self.0.find(|c: char| !c.is_ascii_digit());
            let (digits, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
            values.push(
                digits
                    .parse()
                    .map_err(|_| "an extent that is no whole number")?,
            );
            // Python 2 wrote long integers so.
            self.0 = rest.strip_prefix('L').unwrap_or(rest);
            if !self.take(",") && !self.begins(")") {
                return Err("expected , or )".into());
            }
        }
        Ok(values)
    }
}
