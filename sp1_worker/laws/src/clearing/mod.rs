//! L1 to L12, L17 and L20: the laws on the clearing, twin of `convexfx_core.laws.certify`.
//!
//! One pass over the orders judges each of them and sums what the laws about assets stand on; these
//! then look at n assets and their matrices. A law relies on all laws with smaller numbers.

mod asset_laws;
mod demanded;
mod gap;
mod levels;
mod objective;
mod order_pass;
mod pair_line;
mod price_rule;
mod ration;
mod rejects;
mod slack;
mod sum;
mod totals;

use alloc::vec::Vec;

use crate::rates::Rates;
use crate::skipped::Skipped;
use crate::view::View;
use crate::violation::Violation;
use crate::wide::Wide;
pub use demanded::demanded;
use objective::Objective;
use price_rule::PriceRule;
use totals::{Flow, Totals};

/// Gap and objective stand in 128 bits of the public values.
const TERM_MAX: u128 = (1 << 127) - 1;

/// What the clearing laws derive on the way.
pub struct Certificate {
    /// Upper bound of what any other outcome could gain, numeraire base units, rounded up.
    pub gap: u128,
    /// Objective term, numeraire base units.
    pub inventory_risk: i128,
    /// Objective term, numeraire base units.
    pub price_tracking: i128,
    /// Objective term, numeraire base units.
    pub fill_incentive: i128,
    /// Sum of the three terms.
    pub total: i128,
    /// Number of orders with paid > 0.
    pub fills: u64,
    /// What the fills move, by asset.
    pub flows: Vec<Flow>,
    unreceived: Option<Violation>,
    uneven: Option<Violation>,
}

/// L1 to L12 on a decoded witness: the smallest (law, index) that does not hold.
pub fn check_l01_to_l12(
    view: &View,
    rates: &Rates,
    skipped: Skipped,
) -> Result<Certificate, Violation> {
    let found = order_pass::inspect(view, rates, skipped);
    if let Some(violation) = found.smallest {
        return Err(violation);
    }
    let totals = Totals::of(view.n, &found.lines, view.omega.is_some());
    asset_laws::check_l06_to_l08(view, &totals, skipped)?;
    let rule = PriceRule::of(view, &totals);
    if !skipped.skips(9) {
        asset_laws::check_l09(&rule)?;
    }
    let terms = Terms::of(view, &totals, &rule)?;
    check_bounds(view, rates, &totals, &rule, found.ration, skipped)?;
    Ok(Certificate {
        gap: terms.gap,
        inventory_risk: terms.inventory_risk,
        price_tracking: terms.price_tracking,
        fill_incentive: terms.fill_incentive,
        total: terms.total,
        fills: found.fills,
        flows: totals.flows(),
        unreceived: found.unreceived,
        uneven: levels::violation(view, &found.lines),
    })
}

/// L17: who pays receives; found on the way by [`check_l01_to_l12`].
pub fn check_l17(certificate: &Certificate) -> Result<(), Violation> {
    certificate.unreceived.map_or(Ok(()), Err)
}

/// L20: better limits first, equal limits equal parts; found on the way by [`check_l01_to_l12`].
pub fn check_l20(certificate: &Certificate) -> Result<(), Violation> {
    certificate.uneven.map_or(Ok(()), Err)
}

/// L10 to L12.
fn check_bounds(
    view: &View,
    rates: &Rates,
    totals: &Totals,
    rule: &PriceRule,
    of_orders: Option<Violation>,
    skipped: Skipped,
) -> Result<(), Violation> {
    if view.omega.is_some() || !view.rejects.is_empty() {
        let slack = slack::bound_slack(view.n, totals);
        if !skipped.skips(10) {
            asset_laws::check_l10(view, &slack)?;
            of_orders.map_or(Ok(()), Err)?;
        }
        if !skipped.skips(11) {
            rejects::check_l11(view, rates, totals, rule, &slack)?;
        }
    }
    if skipped.skips(12) {
        return Ok(());
    }
    asset_laws::check_l12(view)
}

/// Gap and objective in the widths of the public values.
struct Terms {
    gap: u128,
    inventory_risk: i128,
    price_tracking: i128,
    fill_incentive: i128,
    total: i128,
}

impl Terms {
    /// Gap, terms and total; L9 with index n where one leaves its width.
    fn of(view: &View, totals: &Totals, rule: &PriceRule) -> Result<Self, Violation> {
        let gap = gap::gap(view, totals, rule);
        let objective = Objective::of(view, totals, rule);
        let term = |value: Wide| {
            let inside = value.abs() <= Wide::from(TERM_MAX);
            let fits = value.to_i128().filter(|_| inside);
            fits.ok_or_else(|| Violation::new(9, view.n, value, TERM_MAX))
        };
        Ok(Self {
            gap: gap
                .to_u128()
                .ok_or_else(|| Violation::new(9, view.n, gap, u128::MAX))?,
            inventory_risk: term(objective.inventory_risk)?,
            price_tracking: term(objective.price_tracking)?,
            fill_incentive: term(objective.fill_incentive)?,
            total: term(objective.total())?,
        })
    }
}

#[cfg(test)]
mod tests;
