//! A line of text for whoever runs the guest.

use core::fmt;

const LENGTH_MAX: usize = 256;

/// Text of at most 256 bytes.
pub struct Line {
    bytes: [u8; LENGTH_MAX],
    length: usize,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self {
            bytes: [0; LENGTH_MAX],
            length: 0,
        }
    }

    /// What was written so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Write for Line {
    /// Appends the text, or nothing of it where it does not fit.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
