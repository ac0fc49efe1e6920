//! Exact sums over the orders.

use crate::wide::Wide;

/// A sum of at most 2^24 terms below 2^128: below 2^152, least significant word first.
#[derive(Clone, Copy, Default)]
pub struct Sum([u64; 3]);

impl Sum {
    /// Adds a term; a carry out of the lowest word is rare, so the others are seldom touched.
    #[inline(always)]
    pub fn add(&mut self, term: u64) {
        let (low, over) = self.0[0].overflowing_add(term);
        self.0[0] = low;
        if over {
            self.carry();
        }
    }

    #[cold]
    #[inline(never)]
    fn carry(&mut self) {
        self.add_above(1, 0);
    }

    /// Adds a term of two words.
    pub fn add_wide(&mut self, term: u128) {
        self.add(term as u64);
        self.add_above((term >> 64) as u64, 0);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: Self) {
        self.add(other.0[0]);
        self.add_above(other.0[1], other.0[2]);
    }

    #[inline]
    fn add_above(&mut self, middle: u64, high: u64) {
        let (middle, over) = self.0[1].overflowing_add(middle);
        self.0[1] = middle;
        // Far from 2^64, see the bound of the sum.
        self.0[2] = self.0[2].wrapping_add(high).wrapping_add(u64::from(over));
    }

    /// The sum as a signed number.
    pub fn wide(self) -> Wide {
        Wide::from_words(self.0)
    }
}
