//! L20: at the price, better limits come first and equal limits get equal parts.
//!
//! Twin of `convexfx_core.laws.l20_equal_parts`. The pass over the orders shows each order at the
//! price once; what is kept of them is the level where service ends and the one where it is missed.

use super::pair_line::Line;
use crate::view::View;
use crate::violation::Violation;

/// The orders at the price of one pair.
#[derive(Clone, Copy)]
pub struct Levels {
    /// How far an order may be from its part, base units below 2^62.
    off: u64,
    /// The worst limit that is served, 0 for none; limits here are above Rm.
    served: u64,
    /// Of its orders the one that wants the greatest part.
    most: Share,
    /// The best limit that is left without something, 2^64 - 1 for none.
    short: u64,
    /// Of its orders the one that wants the least part.
    least: Share,
}

/// What an order wants of its budget, base units below 2^62.
#[derive(Clone, Copy, Default)]
struct Share {
    want: u64,
    budget: u64,
}

impl Levels {
    /// No orders yet; `off` as in [`Levels`].
    pub fn new(off: u64) -> Self {
        Self {
            off,
            served: 0,
            most: Share::default(),
            short: u64::MAX,
            least: Share::default(),
        }
    }

    /// An order at the price, neither rejected nor dust.
    #[inline(never)]
    pub fn add(&mut self, limit: u64, want: u64, budget: u64) {
        let own = Share { want, budget };
        let more = || {
            let (mine, most) = (self.low(own), self.low(self.most));
            limit == self.served && times(mine, self.most.budget) > times(most, budget)
        };
        if want > 0 && (limit > self.served || more()) {
            (self.served, self.most) = (limit, own);
        }
        let less = || {
            let (mine, least) = (self.high(own), self.high(self.least));
            limit == self.short && times(mine, self.least.budget) < times(least, budget)
        };
        if want < budget && (limit < self.short || less()) {
            (self.short, self.least) = (limit, own);
        }
    }

    /// The two sides of a breach.
    fn breach(&self) -> Option<(u128, u128)> {
        if self.served == 0 || self.served < self.short {
            return None;
        }
        if self.served > self.short {
            return Some((self.served.into(), self.short.into()));
        }
        let allowed = times(self.high(self.least), self.most.budget);
        let uneven = times(self.low(self.most), self.least.budget) > allowed;
        let bound = allowed / u128::from(self.least.budget) + u128::from(self.off);
        uneven.then_some((self.most.want.into(), bound))
    }

    fn low(&self, share: Share) -> u64 {
        share.want.saturating_sub(self.off)
    }

    /// Below 2^63.
    fn high(&self, share: Share) -> u64 {
        share.want + self.off
    }
}

fn times(one: u64, other: u64) -> u128 {
    u128::from(one) * u128::from(other)
}

/// The first pair that breaks L20.
pub fn violation(view: &View, lines: &[Line]) -> Option<Violation> {
    lines.iter().find_map(|line| {
        let (observed, bound) = line.levels.breach()?;
        let pair = line.rate.pay * view.n + line.rate.receive;
        Some(Violation::new(20, pair, observed, bound))
    })
}
