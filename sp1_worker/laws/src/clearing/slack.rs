//! How near to a bound of its inventory an asset counts as standing at it.

use alloc::vec::Vec;

use super::totals::Totals;
use crate::units::RATION_SHIFT;
use crate::view::View;
use crate::wide::Wide;

/// Least and greatest inventory after the epoch, base units; the opening one always fits.
pub fn bounds(view: &View, asset: usize) -> (i128, i128) {
    let held = i128::from(view.pool.inventory(asset));
    let (low, high) = (view.params.q_min(asset), view.params.q_max(asset));
    (low.min(held), high.max(held))
}

/// Distance from a bound that rounding cannot avoid, base units by asset: below 2^113.
///
/// One unit; for every order wanted, the floor of a rationed fill, in units of the asset, and the
/// units that a fill may lose because it would receive nothing; two steps of omega (2^-40 of the
/// flow wanted, below 2^151, each).
pub fn bound_slack(n: usize, totals: &Totals) -> Vec<Wide> {
    let steps = |asset: usize| {
        let flow = totals.want_in(asset) + totals.want_out(asset);
        let step = flow.shift_right_up(RATION_SHIFT);
        Wide::from(1u64) + step + step
    };
    let mut slack: Vec<Wide> = (0..n).map(steps).collect();
    for line in totals.lines.iter().filter(|line| line.wants > 0) {
        let (rate, count) = (&line.rate, Wide::from(line.wants));
        // ceil(2^S / Rn) + 1, as 2^S >= 1.
        let lost = ((1u128 << rate.shift) - 1) / u128::from(rate.net) + 2;
        slack[rate.pay] += count * Wide::from(lost);
        let unit = u128::from(rate.gross) >> rate.shift;
        slack[rate.receive] += count * Wide::from(unit + 2);
    }
    slack
}
