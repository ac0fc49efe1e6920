//! The frame of witness v1 (`docs/spec.md` section 4): magic, version, 14 sections with lengths.

use crate::violation::Violation;

/// Number of sections.
pub const SECTIONS: usize = 14;
/// Index that L0 reports for magic, version, a length that runs past the end, bytes left over.
pub const FRAME: usize = SECTIONS;

const MAGIC: u64 = u64::from_le_bytes(*b"CFXWIT\0\0");
const VERSION: u64 = 1;
const WORD_BYTES: usize = 8;

/// The sections of a witness whose frame holds.
///
/// Lengths of sections are multiples of 8. Where one is not, its own section is what L0 reports,
/// unless an earlier one does not hold; so the sections before it are all that is ever read.
pub struct Sections<'a> {
    sections: [&'a [u64]; SECTIONS],
    whole: usize,
}

impl<'a> Sections<'a> {
    /// Words of a section.
    pub fn get(&self, section: usize) -> Result<&'a [u64], Violation> {
        if section < self.whole {
            Ok(self.sections[section])
        } else {
            Err(Violation::new(0, section, 1u64, WORD_BYTES))
        }
    }
}

/// Split a witness of `byte_length` bytes, given as little-endian words, the last one filled up.
pub fn split(words: &[u64], byte_length: usize) -> Result<Sections<'_>, Violation> {
    let frame = Frame {
        words,
        bytes: byte_length.min(words.len().saturating_mul(WORD_BYTES)),
    };
    frame.expect(0, MAGIC)?;
    frame.expect(WORD_BYTES, VERSION)?;
    let (mut sections, mut whole) = ([&words[..0]; SECTIONS], 0);
    let mut at = 2 * WORD_BYTES;
    for (index, section) in sections.iter_mut().enumerate() {
        let size = frame.read(at).ok_or(frame.broken(at))?;
        at += WORD_BYTES;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if frame.bytes - at < size {
            return Err(frame.broken(at));
        }
        if (at | size).is_multiple_of(WORD_BYTES) && whole == index {
            *section = &words[at / WORD_BYTES..(at + size) / WORD_BYTES];
            whole += 1;
        }
        at += size;
    }
    if at != byte_length {
        return Err(frame.broken(at));
    }
    Ok(Sections { sections, whole })
}

struct Frame<'a> {
    words: &'a [u64],
    bytes: usize,
}

impl Frame<'_> {
    fn expect(&self, at: usize, bound: u64) -> Result<(), Violation> {
        match self.read(at) {
            Some(found) if found == bound => Ok(()),
            found => Err(Violation::new(0, FRAME, found.unwrap_or(0), bound)),
        }
    }

    /// The eight bytes at any place, if they are all there.
    fn read(&self, at: usize) -> Option<u64> {
        if at > self.bytes || self.bytes - at < WORD_BYTES {
            return None;
        }
        let (place, shift) = (at / WORD_BYTES, 8 * (at % WORD_BYTES) as u32);
        let low = self.words[place] >> shift;
        if shift == 0 {
            return Some(low);
        }
        Some(low | self.words[place + 1] << (64 - shift))
    }

    fn broken(&self, at: usize) -> Violation {
        Violation::new(0, FRAME, self.bytes - at.min(self.bytes), WORD_BYTES)
    }
}
