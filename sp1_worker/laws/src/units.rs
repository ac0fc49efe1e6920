//! The fixed-point rules that everybody shares (`docs/spec.md` section 7): twin of
//! `convexfx_core.units`. Every shift and division floors unless its name says otherwise.

use crate::wide::Wide;

/// Scale of prices and logarithms: 2^64.
pub const PRICE_SHIFT: u32 = 64;
/// Scale of the risk matrix G: 2^112.
pub const RISK_SHIFT: u32 = 112;
/// Scale of omega and of the cut h: 2^40.
pub const RATION_SHIFT: u32 = 40;
/// The whole of an order at the scale of a ration.
pub const RATION_ONE: u64 = 1 << RATION_SHIFT;
/// At 2^-38 beyond its limit an order counts as in the money.
pub const LIMIT_SLACK_SHIFT: u32 = 38;
/// One in the unit of fees.
pub const PPM: u64 = 1_000_000;
/// The limit rate that no price reaches.
pub const LIMIT_UNREACHABLE: u64 = u64::MAX;

/// Least net rate that a limit (m, e) accepts at scale 2^shift: `ceil(m / 2^(e - shift))`.
///
/// `m >= 1`, as L0 asks, so the ceiling is `((m - 1) >> s) + 1`, which is 1 from s = 63 on.
#[inline(always)]
pub fn limit_rate(mantissa: u64, exponent: i64, shift: i64) -> u64 {
    let distance = exponent.wrapping_sub(shift);
    if distance < 0 {
        return LIMIT_UNREACHABLE;
    }
    let below = mantissa.wrapping_sub(1);
    if distance >= 63 {
        return 1;
    }
    (below >> distance).wrapping_add(1)
}

/// A price as its number of bits and the bits themselves, the leading one on top.
pub struct Leading {
    bits: u32,
    mantissa: u128,
}

impl Leading {
    /// Of a positive price.
    pub fn of(price: u128) -> Self {
        let above = price.leading_zeros();
        Self {
            bits: 128 - above,
            mantissa: price << (above % 128),
        }
    }

    /// Shift S towards the price that is received: 62 - e with `self / receive` in [2^(e-1), 2^e).
    pub fn shift_to(&self, receive: &Self) -> i32 {
        let above = i32::from(self.mantissa >= receive.mantissa);
        62 - (self.bits as i32 - receive.bits as i32 + above)
    }
}

/// Shift S of a directed pair with these reference prices, both positive; also outside [0, 126].
pub fn rate_shift(pbar_pay: u128, pbar_receive: u128) -> i32 {
    Leading::of(pbar_pay).shift_to(&Leading::of(pbar_receive))
}

/// Log2 of the grain of partial fills of an asset with `decimals` digits, base units.
pub fn partial_fill_shift(decimals: u64) -> u32 {
    (5 * decimals / 3) as u32
}

/// `floor(dividend 2^shift / divisor)` where it fits a word, and whether nothing is left over; for a
/// shift up to 127 and a divisor from 1.
///
/// One digit of 64 bits, estimated from the leading words (Knuth, The Art of Computer Programming
/// 4.3.1, algorithm D); rates and logarithms are such quotients.
pub fn quotient_word(dividend: u128, shift: u32, divisor: u128) -> Option<(u64, bool)> {
    let up = divisor.leading_zeros();
    let divisor = divisor << up;
    let (bits, words) = ((shift + up) % 64, ((shift + up) / 64) as usize);
    let (low, high) = (dividend as u64, (dividend >> 64) as u64);
    let over = |word: u64| (word >> 1) >> (63 - bits);
    let mut shifted = [0; 6];
    shifted[words] = low << bits;
    shifted[words + 1] = high << bits | over(low);
    shifted[words + 2] = over(high);
    let [first, second, third, a, b, c] = shifted;
    let top = u128::from(third) << 64 | u128::from(second);
    if a | b | c > 0 || top >= divisor {
        return None;
    }
    let (upper, lower) = ((divisor >> 64) as u64, divisor as u64);
    let mut digit = if third == upper {
        u64::MAX
    } else {
        divide_normalised(third, second, upper)
    };
    // What is left over, as a low part of two words and a high one, from -2 on: the estimate is at
    // most two too great.
    let (below, above) = (word_product(digit, lower), word_product(digit, upper));
    let (taken, carry) = below.overflowing_add(above << 64);
    let (mut rest, borrow) = (u128::from(second) << 64 | u128::from(first)).overflowing_sub(taken);
    let taken = (above >> 64) as u64 + u64::from(carry);
    let mut sign = third.wrapping_sub(taken).wrapping_sub(u64::from(borrow));
    while sign != 0 {
        let (more, carry) = rest.overflowing_add(divisor);
        (rest, sign) = (more, sign.wrapping_add(u64::from(carry)));
        digit -= 1;
    }
    Some((digit, rest == 0))
}

/// `floor((high 2^64 + low) / divisor)` for `high < divisor`, so that it fits a word.
///
/// A division of 128 bits by the compiler's library takes five times as long in the guest.
pub fn divide_two_words(high: u64, low: u64, divisor: u64) -> u64 {
    let up = divisor.leading_zeros();
    let over = (low >> 1) >> (63 - up);
    divide_normalised(high << up | over, low << up, divisor << up)
}

/// [`divide_two_words`] by a divisor whose top bit is set: two digits of 32 bits.
fn divide_normalised(high: u64, low: u64, divisor: u64) -> u64 {
    let (first, rest) = divide_by_half(high, low >> 32, divisor);
    let (second, _) = divide_by_half(rest, low & 0xFFFF_FFFF, divisor);
    first << 32 | second
}

/// Digit and rest of `(rest 2^32 + next) / divisor`: top bit of the divisor set, `rest < divisor`.
fn divide_by_half(rest: u64, next: u64, divisor: u64) -> (u64, u64) {
    let (top, bottom) = (divisor >> 32, divisor & 0xFFFF_FFFF);
    let (mut digit, mut over) = (rest / top, rest % top);
    // The estimate is at most two too great; only as a digit below 2^32 is its product a word.
    while digit >> 32 > 0 || digit * bottom > (over << 32 | next) {
        digit -= 1;
        over += top;
        if over >> 32 > 0 {
            break;
        }
    }
    // The true rest is below 2^64, so what wraps on the way comes back.
    let rest = (rest << 32 | next).wrapping_sub(digit.wrapping_mul(divisor));
    (digit, rest)
}

/// Exact product of two words.
#[inline(always)]
pub fn word_product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// Net rate `floor(R (10^6 - fee) / 10^6)` for a fee of at most 10^6 ppm, same scale as `gross`.
///
/// `R = q 10^6 + r` makes it `q keep + floor(r keep / 10^6)`, all within 64 bits.
pub fn net_rate(gross: u64, fee_ppm: u64) -> u64 {
    let keep = PPM - fee_ppm;
    gross / PPM * keep + gross % PPM * keep / PPM
}

/// LOG: `ln(price / reference)` at scale 2^64, eight terms, each product floored.
///
/// None where the price is more than four times the reference: there the polynomial is below -19,
/// beyond every bound that a law compares it with.
pub fn log_ratio(price: u128, reference: u128) -> Option<i128> {
    let size = quotient_word(price.abs_diff(reference), PRICE_SHIFT, reference);
    match size {
        Some((size, exact)) if size < (1 << 62) - 1 => {
            let size = size as i64;
            // A negative quotient that leaves something is floored away from zero.
            let distance = if price < reference {
                -size - i64::from(!exact)
            } else {
                size
            };
            Some(log_of_narrow(distance))
        }
        _ => log_of_wide(price, reference),
    }
}

/// Powers of a distance up to 2^62 stay below 2^62, and their products below 2^124.
fn log_of_narrow(distance: i64) -> i128 {
    let (mut power, mut total) = (distance, 0i128);
    for term in 1..=8 {
        let part = i128::from(power.div_euclid(term));
        total += if term % 2 == 1 { part } else { -part };
        power = ((i128::from(power) * i128::from(distance)) >> PRICE_SHIFT) as i64;
    }
    total
}

/// Powers of a distance in [-2^64, 2^66) stay below 2^80, and their products below 2^146.
fn log_of_wide(price: u128, reference: u128) -> Option<i128> {
    let distance = Wide::from(price) - Wide::from(reference);
    let distance = distance
        .shift_left(PRICE_SHIFT)
        .divide(Wide::from(reference));
    let distance = distance.to_i128().filter(|distance| *distance < 1 << 66)?;
    let (mut power, mut total) = (distance, 0);
    for term in 1..=8 {
        let part = power.div_euclid(term);
        total += if term % 2 == 1 { part } else { -part };
        let product = Wide::from(power) * Wide::from(distance);
        power = product.shift_right(PRICE_SHIFT).to_i128()?;
    }
    Some(total)
}

#[cfg(test)]
mod tests;
