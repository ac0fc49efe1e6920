//! Signed integers of 384 bits: where the laws' numbers leave 128 bits.
//!
//! The widest number that a lawfully decoded witness can form is the marginal price of an inventory
//! before L9 has bounded it: `sum_j G_ij X_j` with 64 assets, `abs(G) < 2^80` and
//! `abs(X) < 2^215` (flows below 2^150 at a price below 2^128, over 2^64, and an overflow), which is
//! below 2^301. The other sums stay below 2^284, each with its reason where it is made. So nothing
//! here wraps; additions and products assert it in a debug build. Only a test build that leaves out
//! L9 may come to wider ones.

use core::cmp::Ordering;
use core::ops::{Add, AddAssign, Mul, Neg, Sub};

use crate::units::{divide_two_words, word_product};
use crate::violation::Number;

const LIMBS: usize = 6;
/// Bits of a [`Wide`].
pub const BITS: u32 = 64 * LIMBS as u32;

/// Signed 384-bit integer, two's complement, least significant word first.
#[derive(Clone, Copy, Debug, Eq)]
pub struct Wide([u64; LIMBS]);

impl Wide {
    /// Zero.
    pub const ZERO: Self = Self([0; LIMBS]);

    /// Whether it is below zero.
    #[inline]
    pub fn is_negative(self) -> bool {
        self.0[LIMBS - 1] >> 63 == 1
    }

    /// Magnitude.
    #[inline]
    pub fn abs(self) -> Self {
        if self.is_negative() {
            -self
        } else {
            self
        }
    }

    /// From three words, least significant first, not negative.
    pub fn from_words(words: [u64; 3]) -> Self {
        Self([words[0], words[1], words[2], 0, 0, 0])
    }

    /// From a low and a high half of two words each, not negative.
    #[inline]
    fn from_halves((low, high): (u128, u128)) -> Self {
        let words = [low, low >> 64, high, high >> 64];
        let [a, b, c, d] = words.map(|word| word as u64);
        Self([a, b, c, d, 0, 0])
    }

    /// `self * 2^bits`.
    pub fn shift_left(self, bits: u32) -> Self {
        let (words, bits, mut shifted) = (bits / 64, bits % 64, self.0);
        if bits > 0 {
            for at in (1..LIMBS).rev() {
                shifted[at] = shifted[at] << bits | shifted[at - 1] >> (64 - bits);
            }
            shifted[0] <<= bits;
        }
        for _ in 0..words {
            let [a, b, c, d, e, _] = shifted;
            shifted = [0, a, b, c, d, e];
        }
        Self(shifted)
    }

    /// `floor(self / 2^bits)`.
    pub fn shift_right(self, bits: u32) -> Self {
        let sign = if self.is_negative() { u64::MAX } else { 0 };
        let (words, bits, mut shifted) = (bits / 64, bits % 64, self.0);
        for _ in 0..words {
            let [_, b, c, d, e, f] = shifted;
            shifted = [b, c, d, e, f, sign];
        }
        if bits > 0 {
            for at in 0..LIMBS {
                let above = shifted.get(at + 1).copied().unwrap_or(sign);
                shifted[at] = shifted[at] >> bits | above << (64 - bits);
            }
        }
        Self(shifted)
    }

    /// `ceil(self / 2^bits)`.
    pub fn shift_right_up(self, bits: u32) -> Self {
        -(-self).shift_right(bits)
    }

    /// `floor(self / divisor)` for a positive divisor; zero for no divisor at all.
    pub fn divide(self, divisor: Self) -> Self {
        let (quotient, exact) = divide_magnitudes(self.abs().0, divisor.0);
        match (self.is_negative(), exact) {
            (false, _) => Self(quotient),
            (true, true) => -Self(quotient),
            (true, false) => -Self(quotient) - Self::from(1u64),
        }
    }

    /// `ceil(self / divisor)` for a positive divisor.
    pub fn divide_up(self, divisor: Self) -> Self {
        -(-self).divide(divisor)
    }

    /// The value where it is in the range of `i128`.
    #[inline]
    pub fn to_i128(self) -> Option<i128> {
        let low = u128::from(self.0[1]) << 64 | u128::from(self.0[0]);
        (Self::from(low as i128) == self).then_some(low as i128)
    }

    /// The value where it is in the range of `u128`.
    pub fn to_u128(self) -> Option<u128> {
        let low = u128::from(self.0[1]) << 64 | u128::from(self.0[0]);
        (Self::from(low) == self).then_some(low)
    }

    fn used_limbs(&self) -> usize {
        LIMBS - self.0.iter().rev().take_while(|limb| **limb == 0).count()
    }
}

impl PartialEq for Wide {
    /// Word by word: the guest's comparison of bytes would cost ten times as much.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        pairs.fold(0, |all, (own, other)| all | own ^ other) == 0
    }
}

impl From<u64> for Wide {
    fn from(value: u64) -> Self {
        Self([value, 0, 0, 0, 0, 0])
    }
}

impl From<u128> for Wide {
    #[inline]
    fn from(value: u128) -> Self {
        Self([value as u64, (value >> 64) as u64, 0, 0, 0, 0])
    }
}

impl From<i128> for Wide {
    #[inline]
    fn from(value: i128) -> Self {
        let sign = if value < 0 { u64::MAX } else { 0 };
        let bits = value as u128;
        Self([bits as u64, (bits >> 64) as u64, sign, sign, sign, sign])
    }
}

impl From<Wide> for Number {
    /// The nearest number of 256 bits: a violation is printed, not computed with.
    fn from(value: Wide) -> Self {
        let [a, b, c, d, rest @ ..] = value.0;
        let sign = if value.is_negative() { u64::MAX } else { 0 };
        if d >> 63 == sign >> 63 && rest == [sign; 2] {
            return Self([a, b, c, d]);
        }
        Self([!sign, !sign, !sign, !sign ^ 1 << 63])
    }
}

impl Add for Wide {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        let (mut sum, mut carry) = ([0; LIMBS], false);
        for (at, limb) in sum.iter_mut().enumerate() {
            let (part, over) = self.0[at].overflowing_add(other.0[at]);
            let (part, again) = part.overflowing_add(u64::from(carry));
            (*limb, carry) = (part, over | again);
        }
        let sum = Self(sum);
        debug_assert!(
            self.is_negative() != other.is_negative() || sum.is_negative() == self.is_negative(),
            "a sum beyond {BITS} bits"
        );
        sum
    }
}

impl AddAssign for Wide {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Neg for Wide {
    type Output = Self;

    #[inline]
    fn neg(self) -> Self {
        let (mut negated, mut carry) = ([0; LIMBS], true);
        for (limb, own) in negated.iter_mut().zip(self.0) {
            (*limb, carry) = (!own).overflowing_add(u64::from(carry));
        }
        Self(negated)
    }
}

impl Sub for Wide {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Wide {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (a, b) = (self.abs(), other.abs());
        if let (Some(a), Some(b)) = (a.to_u128(), b.to_u128()) {
            let product = Self::from_halves(product(a, b));
            return if self.is_negative() != other.is_negative() {
                -product
            } else {
                product
            };
        }
        let (rows, columns) = (a.used_limbs(), b.used_limbs());
        debug_assert!(rows + columns <= LIMBS + 1, "a product beyond {BITS} bits");
        let mut product = [0; LIMBS];
        for (row, &x) in a.0[..rows].iter().enumerate() {
            let mut carry = 0;
            for (limb, &y) in product[row..].iter_mut().zip(&b.0[..columns]) {
                // Below 2^128: (2^64 - 1)^2 + 2 (2^64 - 1).
                let part = word_product(x, y) + u128::from(*limb) + u128::from(carry);
                (*limb, carry) = (part as u64, (part >> 64) as u64);
            }
            if let Some(limb) = product.get_mut(row + columns) {
                *limb = carry;
            } else {
                debug_assert!(carry == 0, "a product beyond {BITS} bits");
            }
        }
        let product = Self(product);
        debug_assert!(!product.is_negative(), "a product beyond {BITS} bits");
        if self.is_negative() != other.is_negative() {
            -product
        } else {
            product
        }
    }
}

impl Ord for Wide {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = other.is_negative().cmp(&self.is_negative());
        sign.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

impl PartialOrd for Wide {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Product of two words each, which most of the laws' numbers are: its low and its high half.
#[inline(always)]
fn product(a: u128, b: u128) -> (u128, u128) {
    let (a_low, a_high) = (a as u64, (a >> 64) as u64);
    let (b_low, b_high) = (b as u64, (b >> 64) as u64);
    let low = word_product(a_low, b_low);
    // Below 2^128: (2^64 - 1)^2 + 2 (2^64 - 1).
    let middle = word_product(a_high, b_low) + (low >> 64);
    let crossed = word_product(a_low, b_high) + u128::from(middle as u64);
    let high = word_product(a_high, b_high) + (middle >> 64) + (crossed >> 64);
    (crossed << 64 | u128::from(low as u64), high)
}

/// A sum of products of two words each, below 2^256.
#[derive(Clone, Copy, Default)]
pub struct ProductSum {
    low: u128,
    high: u128,
}

impl ProductSum {
    /// Adds a product.
    #[inline(always)]
    pub fn add(&mut self, a: u128, b: u128) {
        let (low, high) = product(a, b);
        let (low, carry) = self.low.overflowing_add(low);
        self.low = low;
        self.high = self.high.wrapping_add(high).wrapping_add(u128::from(carry));
    }

    /// The sum as a signed number.
    pub fn wide(self) -> Wide {
        Wide::from_halves((self.low, self.high))
    }
}

/// Quotient of two magnitudes, and whether nothing is left over; zero for a divisor of zero.
///
/// Long division by 64-bit digits (Knuth, The Art of Computer Programming 4.3.1, algorithm D).
fn divide_magnitudes(dividend: [u64; LIMBS], divisor: [u64; LIMBS]) -> ([u64; LIMBS], bool) {
    let size = Wide(divisor).used_limbs();
    let mut quotient = [0; LIMBS];
    if size == 0 {
        return (quotient, true);
    }
    let up = divisor[size - 1].leading_zeros();
    let divisor = Wide(divisor).shift_left(up).0;
    let mut rest = [0; LIMBS + 1];
    rest[..LIMBS].copy_from_slice(&Wide(dividend).shift_left(up).0);
    rest[LIMBS] = (dividend[LIMBS - 1] >> 1) >> (63 - up);
    for at in (0..=LIMBS - size).rev() {
        let window = &mut rest[at..=at + size];
        if window[size] == 0 && window[size - 1] < divisor[size - 1] {
            continue;
        }
        let mut digit = digit_from_above(window[size], window[size - 1], divisor[size - 1]);
        let mut short = subtract_multiple(window, &divisor[..size], digit);
        while short {
            digit -= 1;
            short = !add_back(window, &divisor[..size]);
        }
        quotient[at] = digit;
    }
    (quotient, rest.iter().fold(0, |all, limb| all | limb) == 0)
}

/// A digit of a quotient from the leading words, at most two too great: the divisor's top bit is
/// set.
fn digit_from_above(high: u64, low: u64, divisor: u64) -> u64 {
    if high >= divisor {
        return u64::MAX;
    }
    divide_two_words(high, low, divisor)
}

/// Subtracts `digit * divisor`; whether that was more than was there.
fn subtract_multiple(window: &mut [u64], divisor: &[u64], digit: u64) -> bool {
    let (mut carry, mut borrow) = (0, false);
    for (limb, part) in window.iter_mut().zip(divisor.iter().chain(&[0])) {
        let product = word_product(digit, *part) + u128::from(carry);
        let (less, under) = limb.overflowing_sub(product as u64);
        let (less, again) = less.overflowing_sub(u64::from(borrow));
        (*limb, carry, borrow) = (less, (product >> 64) as u64, under | again);
    }
    borrow
}

/// Adds the divisor back; whether that made up for what was missing.
fn add_back(window: &mut [u64], divisor: &[u64]) -> bool {
    let mut carry = false;
    for (limb, part) in window.iter_mut().zip(divisor.iter().chain(&[0])) {
        let (more, over) = limb.overflowing_add(*part);
        let (more, again) = more.overflowing_add(u64::from(carry));
        (*limb, carry) = (more, over | again);
    }
    carry
}
