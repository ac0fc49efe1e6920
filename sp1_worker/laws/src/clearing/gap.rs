//! Upper bound of what any other outcome could gain, numeraire base units, rounded up; derivation in
//! `docs/invariants.md`, section on the gap.

use alloc::vec::Vec;

use super::price_rule::{times, PriceRule};
use super::totals::Totals;
use crate::units::{LIMIT_SLACK_SHIFT, PRICE_SHIFT, RISK_SHIFT};
use crate::view::{signed, View};
use crate::wide::Wide;

/// H inverts the risk matrix with a ridge of its mean diagonal over this.
const RIDGE: u64 = 1_000_000;
/// No ridge moves a vector of at most 64 residuals below 2^64 by more than its length.
const MOVED_MAX: u128 = 1 << 67;

/// Bound of the duality gap of the flows wanted, at least 0, given L9: residuals up to 2^64.
///
/// With H below 2^112, `sum_ij H_ij abs(r_i) abs(r_j)` is at most 2^252; the turnover is below
/// 2^151 (budgets of 2^86 units in all at prices below 2^128, over 2^64), and so is the idle part.
pub fn gap(view: &View, totals: &Totals, rule: &PriceRule) -> Wide {
    let sizes: Vec<Wide> = rule.residual.iter().map(|r| r.abs()).collect();
    let ridge = ridge(view);
    let (mut curved, mut moved) = (Wide::ZERO, Wide::ZERO);
    let spreads = times(view.params.risk_inverse, |entry| entry, &sizes);
    for (asset, (size, spread)) in sizes.into_iter().zip(spreads).enumerate() {
        curved += size * spread;
        moved += if risk_of(view, asset) == 0 {
            size
        } else {
            let shift = (ridge * spread).shift_right_up(RISK_SHIFT);
            shift.min(Wide::from(MOVED_MAX))
        };
    }
    let turnover = value(view, |asset| totals.budget(asset));
    curved.shift_right_up(2 * PRICE_SHIFT + 1)
        + value(view, |asset| totals.idle(asset)).shift_right_up(LIMIT_SLACK_SHIFT)
        + (moved * turnover).shift_right_up(PRICE_SHIFT - 1)
}

/// eps: mean of the positive diagonal over 10^6, rounded up, scale 2^112.
fn ridge(view: &View) -> Wide {
    let diagonal = (0..view.n).map(|asset| risk_of(view, asset));
    let (sum, count) = diagonal
        .filter(|entry| *entry > 0)
        .fold((0, 0), |(sum, count), entry| (sum + entry, count + 1));
    if count == 0 {
        return Wide::ZERO;
    }
    Wide::from(sum.div_ceil(u128::from(count * RIDGE)))
}

/// G_ii, from 0 to below 2^80.
fn risk_of(view: &View, asset: usize) -> u128 {
    signed(&view.params.risk[asset * view.n + asset]).unsigned_abs()
}

/// Numeraire base units of amounts by asset, each rounded up.
fn value(view: &View, amount: impl Fn(usize) -> Wide) -> Wide {
    (0..view.n).fold(Wide::ZERO, |sum, asset| {
        let price = Wide::from(view.reference.pbar(asset));
        sum + (amount(asset) * price).shift_right_up(PRICE_SHIFT)
    })
}
