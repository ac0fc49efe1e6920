//! A law that does not hold, and the two sides of its comparison.

use core::fmt;

/// Signed 256-bit integer, two's complement, least significant word first: wide enough for either
/// side of every comparison, and there to be printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Number(pub [u64; 4]);

impl Number {
    /// Zero.
    pub const ZERO: Self = Self([0; 4]);

    fn from_sign(low: u128, negative: bool) -> Self {
        let high = if negative { u64::MAX } else { 0 };
        Self([low as u64, (low >> 64) as u64, high, high])
    }

    /// Magnitude as 32-bit halves, most significant first, and whether the number is negative.
    fn magnitude(self) -> ([u32; 8], bool) {
        let negative = self.0[3] >> 63 == 1;
        let (mut carry, mut halves) = (negative, [0; 8]);
        for (place, word) in self.0.into_iter().enumerate() {
            let flipped = if negative { !word } else { word };
            let (sum, over) = flipped.overflowing_add(u64::from(carry));
            carry = over;
            halves[7 - 2 * place] = sum as u32;
            halves[6 - 2 * place] = (sum >> 32) as u32;
        }
        (halves, negative)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::from_sign(u128::from(value), false)
    }
}

impl From<u128> for Number {
    fn from(value: u128) -> Self {
        Self::from_sign(value, false)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        Self::from_sign(value as u128, false)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::from(i128::from(value))
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Self {
        Self::from(i128::from(value))
    }
}

impl From<i128> for Number {
    fn from(value: i128) -> Self {
        Self::from_sign(value as u128, value < 0)
    }
}

impl fmt::Display for Number {
    /// Signed decimal.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut halves, negative) = self.magnitude();
        // 2^256 has 78 digits; nine of them come off at a time.
        let (mut digits, mut at) = ([b'0'; 81], 81);
        while halves != [0; 8] {
            let mut rest = 0u64;
            for half in &mut halves {
                let value = rest << 32 | u64::from(*half);
                *half = (value / 1_000_000_000) as u32;
                rest = value % 1_000_000_000;
            }
            for _ in 0..9 {
                at -= 1;
                digits[at] = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        let text = core::str::from_utf8(&digits[at..]).map_err(|_| fmt::Error)?;
        let text = text.trim_start_matches('0');
        out.pad_integral(!negative, "", if text.is_empty() { "0" } else { text })
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The smallest (law, index) that does not hold, see `docs/invariants.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number of the law, 0 to 20.
    pub law: u8,
    /// Order, asset, row, section or field, by law.
    pub index: u64,
    /// What stands there.
    pub observed: Number,
    /// What the law allows.
    pub bound: Number,
}

impl Violation {
    /// A violation with its two sides.
    pub fn new(
        law: u8,
        index: usize,
        observed: impl Into<Number>,
        bound: impl Into<Number>,
    ) -> Self {
        Self {
            law,
            index: index as u64,
            observed: observed.into(),
            bound: bound.into(),
        }
    }

    /// What violations are sorted by.
    pub fn rank(&self) -> (u8, u64) {
        (self.law, self.index)
    }
}

/// L0 of a section: a violation unless the comparison holds.
#[inline(always)]
pub fn expect(
    holds: bool,
    section: usize,
    observed: impl Into<Number>,
    bound: impl Into<Number>,
) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation::new(0, section, observed, bound))
    }
}

impl fmt::Display for Violation {
    /// One line for a human.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            law,
            index,
            observed,
            bound,
        } = self;
        write!(
            out,
            "L{law}: index {index}: observed {observed}, bound {bound}"
        )
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn numbers_print_in_decimal() {
        for value in [
            0,
            1,
            -1,
            1_000_000_000,
            i128::MAX,
            i128::MIN,
            -10i128.pow(30),
        ] {
            assert_eq!(Number::from(value).to_string(), value.to_string());
        }
        assert_eq!(Number::from(u128::MAX).to_string(), u128::MAX.to_string());
        let widest =
            "-57896044618658097711785492504343953926634992332820282019728792003956564819968";
        assert_eq!(Number([0, 0, 0, 1 << 63]).to_string(), widest);
    }
}
