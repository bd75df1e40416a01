//! Reads arrays from NumPy's `.npz`: a zip of `.npy` files (NumPy Enhancement Proposal 1).
//!
//! Only what NumPy writes is understood: stored or deflated entries, found through the zip's central directory
//! (PKWARE's APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16), without encryption or the 64-bit extension.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::DeflateDecoder;

/// An array of two dimensions (a column where the file has one), row by row.
pub struct Table {
    pub columns: usize,
    pub values: Vec<f64>,
}

impl Table {
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.columns.max(1))
    }
}

/// Every array of the file with its name, in order of name.
pub fn read(path: &Path) -> Result<Vec<(String, Table)>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut tables = entries(&bytes)
        .with_context(|| format!("{} is not an .npz file, or is cut off", path.display()))?
        .into_iter()
        .map(|(name, npy)| {
            let table = parse(&npy).with_context(|| format!("array {name} of {}", path.display()))?;
            Ok((name, table))
        })
        .collect::<Result<Vec<_>>>()?;
    tables.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(tables)
}

/// The files in a zip, without their extension.
fn entries(zip: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    const END: &[u8] = b"PK\x05\x06";
    const ENTRY: &[u8] = b"PK\x01\x02";
    const LOCAL: &[u8] = b"PK\x03\x04";
    let u16_at = |at: usize| Some(usize::from(u16::from_le_bytes(zip.get(at..at + 2)?.try_into().ok()?)));
    let u32_at = |at: usize| Some(u32::from_le_bytes(zip.get(at..at + 4)?.try_into().ok()?) as usize);
    let starts_with = |at: usize, mark: &[u8]| zip.get(at..).is_some_and(|rest| rest.starts_with(mark));
    let end = zip
        .windows(END.len())
        .rposition(|window| window == END)
        .context("it has no directory")?;
    let (count, mut at) = u16_at(end + 10)
        .zip(u32_at(end + 16))
        .context("its directory is cut off")?;
    let mut files = Vec::with_capacity(count);
    for _ in 0..count {
        if !starts_with(at, ENTRY) {
            bail!("its directory is damaged");
        }
        let fields = || {
            let lengths = (u16_at(at + 28)?, u16_at(at + 30)? + u16_at(at + 32)?);
            Some((
                u16_at(at + 10)?,
                u32_at(at + 20)?,
                u32_at(at + 24)?,
                lengths,
                u32_at(at + 42)?,
            ))
        };
        let (method, packed, size, (name_len, rest_len), local) = fields().context("its directory is cut off")?;
        let name = zip
            .get(at + 46..at + 46 + name_len)
            .context("its directory is cut off")?;
        let name = String::from_utf8_lossy(name).trim_end_matches(".npy").to_owned();
        at += 46 + name_len + rest_len;
        let skip = u16_at(local + 26)
            .zip(u16_at(local + 28))
            .filter(|_| starts_with(local, LOCAL));
        let data = skip.and_then(|(name_len, extra)| {
            let start = local + 30 + name_len + extra;
            zip.get(start..start.checked_add(packed)?)
        });
        let data = data.with_context(|| format!("{name} is cut off"))?;
        let mut file = Vec::new();
        match method {
            0 => file.extend_from_slice(data),
            // The size in the directory bounds what a damaged stream can unpack to.
            8 => _ = DeflateDecoder::new(data).take(size as u64).read_to_end(&mut file)?,
            other => bail!("{name} is packed by method {other}, which NumPy does not use"),
        }
        if file.len() != size {
            bail!("{name} is damaged");
        }
        files.push((name, file));
    }
    Ok(files)
}

fn parse(bytes: &[u8]) -> Result<Table> {
    let (header, data) = match bytes {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, rest @ ..] => {
            rest.split_at_checked(usize::from(u16::from_le_bytes([*a, *b])))
        }
        _ => bail!("it is not an array of .npy version 1"),
    }
    .context("its header is cut off")?;
    let header = std::str::from_utf8(header).context("its header is no text")?;
    let after = |key: &str| {
        header
            .split_once(key)
            .map(|(_, rest)| rest.trim_start_matches([' ', ':', '\'']))
    };
    if after("fortran_order'").is_some_and(|rest| rest.starts_with("True")) {
        bail!("its rows are not contiguous");
    }
    let shape = after("shape'")
        .and_then(|rest| rest.strip_prefix('(')?.split_once(')'))
        .context("it has no shape")?
        .0;
    let columns = shape.split(',').nth(1).map_or("", str::trim);
    let columns = if columns.is_empty() {
        1
    } else {
        columns.parse().context("its shape")?
    };
    let kind = after("descr'")
        .and_then(|rest| rest.split('\'').next())
        .context("it has no type")?;
    let values = match kind {
        "<f4" => data
            .chunks_exact(4)
            .map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
            .collect(),
        "<i2" => data
            .chunks_exact(2)
            .map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])))
            .collect(),
        "|u1" => data.iter().map(|&b| f64::from(b)).collect(),
        other => bail!("its type {other} is none of <f4, <i2 and |u1"),
    };
    Ok(Table { columns, values })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    /// A zip with one file that is stored as it is; without what nobody reads.
    pub fn archive(name: &str, file: &[u8]) -> Vec<u8> {
        let numbers = |length: usize, at: &[(usize, usize)]| {
            let mut bytes = vec![0; length];
            for (offset, number) in at {
                bytes[*offset..offset + 4].copy_from_slice(&(*number as u32).to_le_bytes());
            }
            bytes
        };
        let entry_at = 30 + name.len() + file.len();
        let (local, entry) = (
            numbers(26, &[(22, name.len())]),
            numbers(42, &[(16, file.len()), (20, file.len()), (24, name.len())]),
        );
        [
            b"PK\x03\x04",
            &*local,
            name.as_bytes(),
            file,
            b"PK\x01\x02",
            &entry,
            name.as_bytes(),
            b"PK\x05\x06",
            &numbers(18, &[(6, 1), (12, entry_at)]),
        ]
        .concat()
    }

    #[test]
    fn damaged_archives_are_refused() {
        assert!(entries(b"").is_err());
        assert!(entries(b"PK\x05\x06").is_err());
        let mut zip = b"PK\x01\x02".to_vec();
        zip.extend([0; 42]);
        zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2e\0\0\0\0\0\0\0\0\0");
        assert!(entries(&zip).is_err());
    }

    #[test]
    fn shapes_and_types_are_read() {
        let table = parse(&npy(
            "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2), }",
            &[1, 0, 2, 0, 255, 255, 0, 128],
        ))
        .expect("well formed");
        assert_eq!((table.columns, table.values), (2, vec![1.0, 2.0, -1.0, -32768.0]));
        let table = parse(&npy(
            "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }",
            b"FSP",
        ))
        .expect("well formed");
        assert_eq!((table.columns, table.rows().count()), (1, 3));
        assert!(
            parse(&npy(
                "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }",
                &[0; 8]
            ))
            .is_err()
        );
        assert!(parse(b"\x93NUMPY\x01\x00\xff\xff{}").is_err());
    }
}
