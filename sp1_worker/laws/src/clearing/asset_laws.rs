//! The laws about assets: L6 to L9, the assets' part of L10, L12.

use super::price_rule::PriceRule;
use super::slack::bounds;
use super::totals::Totals;
use crate::limits::VALUE_MAX;
use crate::skipped::Skipped;
use crate::view::View;
use crate::violation::Violation;
use crate::wide::Wide;

/// A residual of one in log price is no price rule at all; it also keeps r H r in 256 bits.
const RESIDUAL_MAX: u128 = 1 << 64;

/// L6: inventory exact; L7: prices inside their bands; L8: overflow only at the band.
pub fn check_l06_to_l08(view: &View, totals: &Totals, skipped: Skipped) -> Result<(), Violation> {
    if !skipped.skips(6) {
        (0..view.n).try_for_each(|asset| check_l06(view, totals, asset))?;
    }
    if !skipped.skips(7) {
        (0..view.n).try_for_each(|asset| check_l07(view, asset))?;
    }
    if !skipped.skips(8) {
        (0..view.n).try_for_each(|asset| check_l08(view, asset))?;
    }
    Ok(())
}

fn check_l06(view: &View, totals: &Totals, asset: usize) -> Result<(), Violation> {
    let before = Wide::from(view.pool.inventory(asset));
    let after = before + totals.flow_in(asset) - totals.flow_out(asset);
    let claimed = Wide::from(view.inventory_after(asset));
    hold(claimed == after, 6, asset, claimed, after)
}

fn check_l07(view: &View, asset: usize) -> Result<(), Violation> {
    let (price, low) = (view.price(asset), view.reference.plo(asset));
    hold(price >= low, 7, asset, price, low)?;
    let high = view.reference.phi(asset);
    hold(price <= high, 7, asset, price, high)
}

fn check_l08(view: &View, asset: usize) -> Result<(), Violation> {
    let (overflow, price) = (view.overflow(asset), view.price(asset));
    if overflow == 0 {
        return Ok(());
    }
    hold(asset > 0, 8, asset, overflow, 0u64)?;
    let edge = if overflow < 0 {
        view.reference.phi(asset)
    } else {
        view.reference.plo(asset)
    };
    hold(price == edge, 8, asset, price, edge)
}

/// L9: the price rule, recomputed from the fills.
pub fn check_l09(rule: &PriceRule) -> Result<(), Violation> {
    for (asset, off) in rule.off_target.iter().enumerate() {
        hold(
            off.abs() <= Wide::from(VALUE_MAX),
            9,
            asset,
            *off,
            VALUE_MAX,
        )?;
        let residual = rule.residual[asset].abs();
        let bound = rule.tau[asset].min(Wide::from(RESIDUAL_MAX));
        hold(residual <= bound, 9, asset, residual, bound)?;
    }
    Ok(())
}

/// L10, assets: omega > 0 only at the lower bound, omega < 0 only at the upper one.
pub fn check_l10(view: &View, slack: &[Wide]) -> Result<(), Violation> {
    let omegas = view.omega.unwrap_or_default();
    for (asset, omega) in omegas.iter().enumerate() {
        let after = Wide::from(view.inventory_after(asset));
        let (low, high) = bounds(view, asset);
        let near_low = Wide::from(low) + slack[asset];
        let near_high = Wide::from(high) - slack[asset];
        let omega = *omega as i64;
        hold(omega <= 0 || after <= near_low, 10, asset, after, near_low)?;
        hold(
            omega >= 0 || after >= near_high,
            10,
            asset,
            after,
            near_high,
        )?;
    }
    Ok(())
}

/// L12: inventory bounds.
pub fn check_l12(view: &View) -> Result<(), Violation> {
    for asset in 0..view.n {
        let (after, (low, high)) = (view.inventory_after(asset), bounds(view, asset));
        hold(after >= low, 12, asset, after, low)?;
        hold(after <= high, 12, asset, after, high)?;
    }
    Ok(())
}

fn hold(
    holds: bool,
    law: u8,
    asset: usize,
    observed: impl Into<crate::Number>,
    bound: impl Into<crate::Number>,
) -> Result<(), Violation> {
    if holds {
        return Ok(());
    }
    Err(Violation::new(law, asset, observed, bound))
}
