//! How results leave: hex, digests, JSON lines, files that are whole or not there.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::errors::Failure;

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of lower- or upper-case hex, with or without `0x`.
///
/// # Errors
/// `usage`, naming `field`, if it is not hex of whole bytes.
pub fn from_hex(field: &str, text: &str) -> Result<Vec<u8>, Failure> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let wrong = || Failure::usage(format!("{field}: expected hex of whole bytes"));
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong());
    (0..digits.len()).step_by(2).map(pair).collect()
}

/// SHA-256 in hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Prints one JSON object as one line on stdout. A reader that went away is no failure of ours.
pub fn print_line(value: &impl Serialize) {
    let text = serde_json::to_string(value).unwrap_or_else(|error| format!("\"{error}\""));
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// The whole of a file of at most `bytes_max` bytes.
///
/// # Errors
/// `environment`, naming the file, if it cannot be read or is larger.
pub fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let told =
        |what: &dyn std::fmt::Display| Failure::environment(format!("{}: {what}", path.display()));
    let size = fs::metadata(path).map_err(|error| told(&error))?.len();
    if size > bytes_max {
        return Err(told(&format!("{size} bytes, expected at most {bytes_max}")));
    }
    fs::read(path).map_err(|error| told(&error))
}

/// Writes a file so that a reader sees all of it or what was there before, also after a crash.
///
/// # Errors
/// `environment`, naming the file.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let told = |error: io::Error| Failure::environment(format!("{}: {error}", path.display()));
    let name = path
        .file_name()
        .ok_or_else(|| told(io::ErrorKind::InvalidFilename.into()))?;
    let name = format!(".{}.{}.part", name.to_string_lossy(), std::process::id());
    let part: PathBuf = folder.join(name);
    let write = || -> io::Result<()> {
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&part);
        told(error)
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::errors::Code;

    /// An empty folder of a test's own, under the system's temporary folder.
    pub fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("laws-host-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn hex_goes_both_ways_and_its_neighbours_do_not() {
        assert_eq!(from_hex("vkey", "0x00ffA0"), Ok(vec![0, 255, 160]));
        assert_eq!(hex(&[0, 255, 160]), "00ffa0");
        assert_eq!(from_hex("vkey", ""), Ok(vec![]));
        for wrong in ["0", "0x0", "0g", "+f", "0x0x00", "é0"] {
            assert_eq!(
                from_hex("vkey", wrong).unwrap_err().code,
                Code::Usage,
                "{wrong}"
            );
        }
    }

    #[test]
    fn the_digest_is_sha256() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256_hex(b""), empty);
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = folder("write");
        let path = folder.join("proof.bin");
        write_file(&path, b"first").unwrap();
        write_file(&path, b"second").unwrap();
        assert_eq!(read_file(&path, 6).unwrap(), b"second");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        assert_eq!(read_file(&path, 5).unwrap_err().code, Code::Environment);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let folder = folder("nowrite");
        let failure = write_file(&folder.join("none/proof.bin"), b"").unwrap_err();
        assert_eq!(failure.code, Code::Environment);
        assert!(failure.message.contains("none/proof.bin"));
        assert_eq!(
            write_file(Path::new("/"), b"").unwrap_err().code,
            Code::Environment
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
