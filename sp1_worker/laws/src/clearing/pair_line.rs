//! What the order pass keeps for each directed pair: its rates, thresholds made once instead of
//! divisions for every order, and the sums over its orders.

use super::levels::Levels;
use super::sum::Sum;
use crate::limits::AMOUNT_MAX;
use crate::rates::PairRate;
use crate::units::{divide_two_words, word_product, RATION_ONE};

/// Grains by which an order may be off its part: one below, and another order one above.
const GRAINS: u64 = 2;

/// One directed pair; rates at scale 2^S.
#[derive(Clone, Copy)]
pub struct Line {
    /// S, R, Rn and the limit of market orders.
    pub rate: PairRate,
    /// Greatest amount for which [`Line::scaled`] loses nothing: below 2^S and 2^64.
    pub most: u64,
    up: u32,
    down: u32,
    /// Greatest amount that receives nothing: `floor((2^S - 1) / Rn)`, at most 2^64 - 1.
    pub dust: u64,
    /// `2^40 - h`: what a ration leaves of an order, scale 2^40.
    pub kept: u64,
    /// Sum of paid.
    pub paid: Sum,
    /// Sum of `(paid R) >> S`.
    pub gross: Sum,
    /// Sum of `(paid Rn) >> S`.
    pub net: Sum,
    /// Sum of `(paid l) >> S`.
    pub asked: Sum,
    /// Sum of budgets.
    pub budget: Sum,
    /// Sum of what is neither wanted nor excused of orders in the money.
    pub idle: Sum,
    /// Sum of amounts wanted, in a rationed epoch.
    pub want_in: Sum,
    /// Sum of `(want R) >> S`, in a rationed epoch.
    pub want_out: Sum,
    /// Orders with want > 0.
    pub wants: u64,
    /// Orders with 0 < want < budget.
    pub partials: u64,
    /// Orders at the price.
    pub levels: Levels,
}

impl Line {
    /// A pair without orders whose fills a ration cuts by `cut`, at most 2^40; `grain` is that of
    /// partial fills.
    pub fn new(rate: &PairRate, cut: u64, grain: u64) -> Self {
        let shift = rate.shift;
        let dust = dust(shift, rate.net);
        let step = grain.max(dust.saturating_add(1));
        Self {
            rate: *rate,
            most: if shift < 64 {
                (1 << shift) - 1
            } else {
                u64::MAX
            },
            up: 64u32.saturating_sub(shift),
            down: shift.saturating_sub(64),
            dust,
            kept: RATION_ONE - cut,
            paid: Sum::default(),
            gross: Sum::default(),
            net: Sum::default(),
            asked: Sum::default(),
            budget: Sum::default(),
            idle: Sum::default(),
            want_in: Sum::default(),
            want_out: Sum::default(),
            wants: 0,
            partials: 0,
            levels: Levels::new(step.saturating_mul(GRAINS).min(AMOUNT_MAX)),
        }
    }

    /// An amount up to [`Line::most`], placed so that the upper word of its product is the amount
    /// received: one multiplication for each rate, whatever S is.
    ///
    /// `amount < 2^S` leaves room for `2^(64 - S)`. Where S is 0 nothing but zero is small enough.
    #[inline(always)]
    pub fn scaled(&self, amount: u64) -> u64 {
        amount.wrapping_shl(self.up)
    }

    /// `(amount rate) >> S` of a scaled amount: below `rate`, since the amount is below 2^S.
    #[inline(always)]
    pub fn receives(&self, scaled: u64, rate: u64) -> u64 {
        ((word_product(scaled, rate) >> 64) as u64).wrapping_shr(self.down)
    }
}

/// `floor((2^shift - 1) / net)`, at most 2^64 - 1.
fn dust(shift: u32, net: u64) -> u64 {
    let below = (1u128 << shift) - 1;
    let (high, low) = ((below >> 64) as u64, below as u64);
    if high >= net {
        u64::MAX
    } else {
        divide_two_words(high, low, net)
    }
}
