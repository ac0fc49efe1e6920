//! Witnesses one after the other on stdin: each a length of eight bytes, little-endian, and so many
//! bytes.

use std::io::{self, Read};

use crate::errors::Failure;

/// The largest witness that is read, in bytes; ten thousand orders take two million.
pub const WITNESS_BYTES_MAX: u64 = 256 << 20;

/// The next frame; none at the end of the input.
///
/// # Errors
/// `usage` if it is cut or too long, `environment` if stdin cannot be read.
pub fn next_frame(input: &mut impl Read) -> Result<Option<Vec<u8>>, Failure> {
    let told = |error: io::Error| Failure::environment(format!("stdin: {error}"));
    let mut head = Vec::new();
    input.take(8).read_to_end(&mut head).map_err(told)?;
    if head.is_empty() {
        return Ok(None);
    }
    let head: [u8; 8] = head
        .try_into()
        .map_err(|_| Failure::usage("stdin: a frame ends inside its length"))?;
    let length = u64::from_le_bytes(head);
    if length > WITNESS_BYTES_MAX {
        let message =
            format!("stdin: a frame of {length} bytes, expected at most {WITNESS_BYTES_MAX}");
        return Err(Failure::usage(message));
    }
    let mut frame = Vec::new();
    input.take(length).read_to_end(&mut frame).map_err(told)?;
    if frame.len() as u64 != length {
        let found = frame.len();
        return Err(Failure::usage(format!(
            "stdin: {found} bytes of a frame of {length}"
        )));
    }
    Ok(Some(frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::Code;

    fn frame(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u64).to_le_bytes(), bytes].concat()
    }

    #[test]
    fn frames_are_read_to_the_end() {
        let bytes = [frame(b"abc"), frame(b""), frame(b"d")].concat();
        let mut input = &bytes[..];
        let mut read = || next_frame(&mut input).unwrap();
        assert_eq!(read(), Some(b"abc".to_vec()));
        assert_eq!(read(), Some(vec![]));
        assert_eq!(read(), Some(b"d".to_vec()));
        assert_eq!(read(), None);
    }

    #[test]
    fn a_cut_or_huge_frame_is_refused() {
        let bytes = frame(b"abc");
        for cut in 1..bytes.len() {
            assert_eq!(
                next_frame(&mut &bytes[..cut]).unwrap_err().code,
                Code::Usage,
                "{cut}"
            );
        }
        let huge = (WITNESS_BYTES_MAX + 1).to_le_bytes();
        assert_eq!(next_frame(&mut &huge[..]).unwrap_err().code, Code::Usage);
    }
}
