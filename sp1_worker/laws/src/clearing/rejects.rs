//! L11: an order left out by the clearing itself could not have been filled to its minimum.

use super::price_rule::PriceRule;
use super::ration::cut;
use super::slack::bounds;
use super::totals::Totals;
use crate::order_row::Order;
use crate::rates::{PairRate, Rates};
use crate::units::{word_product, PRICE_SHIFT, RATION_ONE, RATION_SHIFT, RISK_SHIFT};
use crate::view::{signed, View};
use crate::violation::Violation;
use crate::wide::Wide;

const MIN_FILL: u64 = 1;

/// The first rejected order whose rejection is not justified.
pub fn check_l11(
    view: &View,
    rates: &Rates,
    totals: &Totals,
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
        if !pair.clearly_in(pair.limit(order)) {
            continue;
        }
        let found = if kind == MIN_FILL {
            beats_the_move(view, rule, order, pair)
        } else {
            has_a_share(view, totals, slack, order, pair)
        };
        if let Some((observed, bound)) = found {
            return Err(Violation::new(11, index, observed, bound));
        }
    }
    Ok(())
}

/// Whether the limit leaves more than the minimum fill would move the price, scale 2^64.
///
/// A limit that no price inside the bands breaks leaves more than any move.
/// The value is below 2^126 and kappa below 2^83; tau is below 2^145.
fn beats_the_move(
    view: &View,
    rule: &PriceRule,
    order: Order,
    pair: &PairRate,
) -> Option<(Wide, Wide)> {
    let limit = pair.limit(order);
    if limit <= pair.worst {
        return Some((Wide::from(limit), Wide::from(pair.worst + 1)));
    }
    let (a, b) = (pair.pay, pair.receive);
    let risk = |i: usize, j: usize| signed(&view.params.risk[i * view.n + j]);
    let kappa = risk(a, a) - risk(a, b) - risk(b, a) + risk(b, b);
    let value = Wide::from(order.min_fill()) * Wide::from(view.reference.pbar(a));
    let moved = value.shift_right(PRICE_SHIFT) * Wide::from(kappa);
    let bound = moved.shift_right(RISK_SHIFT - PRICE_SHIFT) + rule.tau[a] + rule.tau[b];
    let room = u128::from(pair.net - limit) << PRICE_SHIFT;
    let room = Wide::from(room / u128::from(pair.net));
    (room > bound).then_some((room, bound))
}

/// Whether the minimum fits beside all fills, or a fair share of what fits would reach it.
///
/// It would not where the cut of the pair leaves less than twice the minimum; nor where a bound is in
/// the way and the share of its side, `budget (F + room) / (D + budget)`, is less than that. D is demanded and F paid by all orders on this side of the asset, in units of what
/// moves: they and the room are below 2^151, the products below 2^215.
fn has_a_share(
    view: &View,
    totals: &Totals,
    slack: &[Wide],
    order: Order,
    pair: &PairRate,
) -> Option<(Wide, Wide)> {
    let (a, b) = (pair.pay, pair.receive);
    let after = |asset: usize| Wide::from(view.inventory_after(asset));
    let up = Wide::from(bounds(view, a).1) - after(a);
    let down = after(b) - Wide::from(bounds(view, b).0);
    let (least, budget) = (Wide::from(order.min_fill()), Wide::from(order.budget()));
    let gross = |amount: u64| Wide::from(pair.gross_of(amount));
    let pays = least > up - slack[a];
    let receives = gross(order.min_fill()) > down - slack[b];
    if !pays && !receives {
        return Some((least, up - slack[a]));
    }
    let (kept, twice) = (
        Wide::from(word_product(order.budget(), RATION_ONE - cut(view, pair)) >> RATION_SHIFT),
        least + least,
    );
    let short = |served: Wide, wanted: Wide| budget * served < twice * wanted;
    let short_in = pays && short(totals.flow_in(a) + room(up), totals.want_in(a) + budget);
    let short_out = receives
        && short(
            totals.flow_out(b) + room(down),
            totals.want_out(b) + gross(order.budget()),
        );
    let justified = kept < twice || short_in || short_out;
    (!justified).then_some((kept, twice))
}

fn room(distance: Wide) -> Wide {
    if distance.is_negative() {
        Wide::ZERO
    } else {
        distance
    }
}
