//! npy arrays and zip archives, byte by byte.

use std::io::Write;

use flate2::{Compression, Crc, write::DeflateEncoder};

/// How an array is written: type, Fortran order, deflated.
#[derive(Clone, Copy)]
pub struct Form(pub &'static str, pub bool, pub bool);

/// An npy file of `values`, given in C order.
pub fn npy(Form(descr, fortran, _): Form, dims: &[usize], values: &[f64]) -> Vec<u8> {
    let shape: Vec<String> = dims.iter().map(|d| format!("{d}, ")).collect();
    let order = if fortran { "True" } else { "False" };
    let text = format!(
        "{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({}), }}\n",
        shape.concat().trim_end()
    );
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    let place = |mut at: usize| {
        if !fortran {
            return at;
        }
        // The first axis runs fastest: its digit is the lowest.
        let mut c = 0;
        let row: Vec<usize> = (0..dims.len())
            .map(|k| dims[k + 1..].iter().product())
            .collect();
        for (k, &d) in dims.iter().enumerate() {
            c += at % d * row[k];
            at /= d;
        }
        c
    };
    for at in 0..values.len() {
        let v = values[place(at)];
        let mut bytes = match &descr[1..] {
            "f4" => (v as f32).to_le_bytes().to_vec(),
            "f8" => v.to_le_bytes().to_vec(),
            "i1" => (v as i8).to_le_bytes().to_vec(),
            "i2" => (v as i16).to_le_bytes().to_vec(),
            "i4" => (v as i32).to_le_bytes().to_vec(),
            "i8" => (v as i64).to_le_bytes().to_vec(),
            "u1" => (v as u8).to_le_bytes().to_vec(),
            "u2" => (v as u16).to_le_bytes().to_vec(),
            other => panic!("{other}"),
        };
        if descr.starts_with('>') {
            bytes.reverse();
        }
        out.extend(bytes);
    }
    out
}

/// A zip archive of entries: name, bytes, deflated.
pub fn zip(entries: &[(&str, Vec<u8>, bool)]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes, deflated) in entries {
        let mut crc = Crc::new();
        crc.update(bytes);
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        let packed = if *deflated {
            encoder.finish().unwrap()
        } else {
            bytes.clone()
        };
        let mut common = vec![20, 0, 0, 0, if *deflated { 8 } else { 0 }, 0, 0, 0, 0, 0];
        for n in [crc.sum(), packed.len() as u32, bytes.len() as u32] {
            common.extend(n.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        let start = out.len() as u32;
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(start.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, count) = (out.len() as u32, entries.len() as u16);
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend([(directory.len() as u32).to_le_bytes(), start.to_le_bytes()].concat());
    out.extend([0, 0]);
    out
}
