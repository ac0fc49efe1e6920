//! L11: an order left out by the clearing itself could not have been filled to its minimum.

use super::price_rule::PriceRule;
use super::slack::bounds;
use crate::order_row::Order;
use crate::rates::{PairRate, Rates};
use crate::units::{LIMIT_SLACK_SHIFT, PRICE_SHIFT, RISK_SHIFT};
use crate::view::{signed, View};
use crate::violation::Violation;
use crate::wide::Wide;

const MIN_FILL: u64 = 1;

/// The first rejected order whose rejection is not justified.
pub fn check_l11(
    view: &View,
    rates: &Rates,
    rule: &PriceRule,
    slack: &[Wide],
) -> Result<(), Violation> {
    for &[index, kind] in view.rejects {
        let index = index as usize;
        let order = Order(view.order(index));
        // A rejected order has no demand in a rationed epoch; elsewhere its demand is what it paid.
        let paid = view.paid.get(index).copied().unwrap_or(0);
        if paid > 0 {
            return Err(Violation::new(11, index, paid, 0u64));
        }
        if order.min_fill() == 0 {
            return Err(Violation::new(11, index, 0u64, 1u64));
        }
        let pair = rates.of(order);
        let limit = pair.limit(order);
        if pair.net <= limit || pair.net - limit <= limit >> LIMIT_SLACK_SHIFT {
            continue;
        }
        let found = if kind == MIN_FILL {
            beats_the_move(view, rule, order, pair)
        } else {
            fits_the_bounds(view, slack, order, pair)
        };
        if let Some((observed, bound)) = found {
            return Err(Violation::new(11, index, observed, bound));
        }
    }
    Ok(())
}

/// Whether the limit leaves more than the minimum fill would move the price, scale 2^64.
///
/// The value is below 2^126 and kappa below 2^83; tau is below 2^145.
fn beats_the_move(
    view: &View,
    rule: &PriceRule,
    order: Order,
    pair: &PairRate,
) -> Option<(Wide, Wide)> {
    let (a, b) = (pair.pay, pair.receive);
    let risk = |i: usize, j: usize| signed(&view.params.risk[i * view.n + j]);
    let kappa = risk(a, a) - risk(a, b) - risk(b, a) + risk(b, b);
    let value = Wide::from(order.min_fill()) * Wide::from(view.reference.pbar(a));
    let moved = value.shift_right(PRICE_SHIFT) * Wide::from(kappa);
    let bound = moved.shift_right(RISK_SHIFT - PRICE_SHIFT) + rule.tau[a] + rule.tau[b];
    let room = u128::from(pair.net - pair.limit(order)) << PRICE_SHIFT;
    let room = Wide::from(room / u128::from(pair.net));
    (room > bound).then_some((room, bound))
}

/// Whether the minimum fill, on top of all fills, would stay inside both bounds.
fn fits_the_bounds(
    view: &View,
    slack: &[Wide],
    order: Order,
    pair: &PairRate,
) -> Option<(Wide, Wide)> {
    let (a, b) = (pair.pay, pair.receive);
    let after = |asset: usize| Wide::from(view.inventory_after(asset));
    let most = Wide::from(bounds(view, a).1) - slack[a] - after(a);
    let least = after(b) - Wide::from(bounds(view, b).0) - slack[b];
    let fill = Wide::from(order.min_fill());
    let gross = Wide::from(pair.gross_of(order.min_fill()));
    (fill <= most && gross <= least).then_some((fill, most))
}
