//! The three terms of the objective, numeraire base units, under the names of the seed.

use super::price_rule::PriceRule;
use super::totals::Totals;
use crate::units::{PRICE_SHIFT, RISK_SHIFT};
use crate::view::View;
use crate::wide::Wide;

/// Terms >= 0, >= 0 and, by the limits, <= 0.
pub struct Objective {
    /// Risk of the inventory.
    pub inventory_risk: Wide,
    /// What prices off the reference cost.
    pub price_tracking: Wide,
    /// Minus what the limits leave to their owners.
    pub fill_incentive: Wide,
}

impl Objective {
    /// Terms of the outcome: risk and tracking split `X G X / 2`, the incentive is minus surplus.
    ///
    /// Given L7 and L9 (LOG below 2^59, X below 2^80): `sum W LOG^2` is below 2^251 and `X G X`
    /// below 2^246; a surplus of 2^87 units at a price below 2^128 makes 2^221 in all.
    pub fn of(view: &View, totals: &Totals, rule: &PriceRule) -> Self {
        let (mut tracked, mut quadratic, mut surplus) = (Wide::ZERO, Wide::ZERO, Wide::ZERO);
        for asset in 0..view.n {
            let log = Wide::from(rule.log_price[asset]);
            tracked += Wide::from(view.params.depth(asset)) * (log * log);
            quadratic += rule.off_target[asset] * rule.marginal[asset];
            surplus += totals.surplus(asset) * Wide::from(view.reference.pbar(asset));
        }
        let price_tracking = tracked.shift_right(2 * PRICE_SHIFT + 1);
        let risk = quadratic.shift_right(RISK_SHIFT + 1) - price_tracking;
        Self {
            inventory_risk: risk.max(Wide::ZERO),
            price_tracking,
            fill_incentive: -surplus.shift_right(PRICE_SHIFT),
        }
    }

    /// Sum of the terms.
    pub fn total(&self) -> Wide {
        self.inventory_risk + self.price_tracking + self.fill_incentive
    }
}
