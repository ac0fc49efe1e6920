//! The price rule in integers: value of the inventory off target, its price, what rounding may do
//! (`docs/spec.md` section 7: X, u_hat, LOG, E, tau).

use alloc::vec::Vec;

use super::totals::Totals;
use crate::units::{log_ratio, partial_fill_shift, PRICE_SHIFT, RISK_SHIFT};
use crate::view::{signed, View};
use crate::wide::{ProductSum, Wide};

const ONE: u128 = 1 << PRICE_SHIFT;
/// 2^-36 in log price: the grid of prices and rates, 1.5e-7 bps.
const SLACK: u64 = 1 << (PRICE_SHIFT - 36);
/// Words of a registry row, and the one that holds the decimals.
const ASSET_WORDS: usize = 8;
const DECIMALS: usize = 5;
/// LOG of a price so far from its reference that only a build without L7 comes to it.
const FAR: i128 = -(1 << 90);

/// Both sides of the price rule, by asset; logarithms at scale 2^64.
pub struct PriceRule {
    /// X, numeraire base units: below 2^215, see [`off_target`].
    pub off_target: Vec<Wide>,
    /// `sum_j G_ij X_j` at scale 2^112, below 2^301.
    pub marginal: Vec<Wide>,
    /// LOG(P, Pbar); in a band narrower than 1/32 below 2^59.
    pub log_price: Vec<i128>,
    /// LOG - u_hat.
    pub residual: Vec<Wide>,
    /// What rounding that a correct prover cannot avoid may leave; below 2^145.
    pub tau: Vec<Wide>,
}

impl PriceRule {
    /// Evaluates the price rule on the flows wanted.
    pub fn of(view: &View, totals: &Totals) -> Self {
        let assets = || 0..view.n;
        let off_target: Vec<Wide> = assets().map(|i| off_target(view, totals, i)).collect();
        let marginal = times(view.params.risk, |entry| entry, &off_target);
        let log_price: Vec<i128> = assets().map(|i| log_price(view, i)).collect();
        let residual = |(log, marginal): (&i128, &Wide)| {
            Wide::from(*log) + marginal.shift_right(RISK_SHIFT - PRICE_SHIFT)
        };
        let residual = log_price.iter().zip(&marginal).map(residual).collect();
        // `sum_j abs(G_ij) E_j`: below 2^80 2^171.
        let propagated = times(view.params.risk, |entry| entry.abs(), &errors(view, totals));
        let tau = propagated.iter().zip(assets()).map(|(propagated, i)| {
            let own = u128::from(SLACK) + ONE / view.reference.pbar(i) + 1;
            Wide::from(own) + propagated.shift_right(RISK_SHIFT)
        });
        Self {
            tau: tau.collect(),
            off_target,
            marginal,
            log_price,
            residual,
        }
    }
}

/// `sum_j entry(i, j) value_j` for each row i of an n x n matrix.
///
/// Where all values have 128 bits, as they do unless somebody lies about them, products of two words
/// are enough: with entries below 2^112 their sum stays below 2^246.
pub fn times(matrix: &[[u64; 2]], entry: impl Fn(i128) -> i128, values: &[Wide]) -> Vec<Wide> {
    let rows = matrix.chunks_exact(values.len());
    let sized = |value: &Wide| Some((value.is_negative(), value.abs().to_u128()?));
    let sizes: Option<Vec<(bool, u128)>> = values.iter().map(sized).collect();
    let Some(sizes) = sizes else {
        return rows.map(|row| dot_of_wide(row, &entry, values)).collect();
    };
    rows.map(|row| dot(row, &entry, &sizes)).collect()
}

fn dot(row: &[[u64; 2]], entry: impl Fn(i128) -> i128, sizes: &[(bool, u128)]) -> Wide {
    let (mut above, mut below) = (ProductSum::default(), ProductSum::default());
    for (words, (negative, size)) in row.iter().zip(sizes) {
        if words[0] | words[1] == 0 {
            continue;
        }
        let entry = entry(signed(words));
        if (entry < 0) == *negative {
            above.add(entry.unsigned_abs(), *size);
        } else {
            below.add(entry.unsigned_abs(), *size);
        }
    }
    above.wide() - below.wide()
}

fn dot_of_wide(row: &[[u64; 2]], entry: impl Fn(i128) -> i128, values: &[Wide]) -> Wide {
    let products = row.iter().zip(values);
    products.fold(Wide::ZERO, |sum, (words, value)| {
        sum + Wide::from(entry(signed(words))) * *value
    })
}

/// X: flows below 2^150 (2^24 amounts, each below 2^62 times a rate of 2^63) and a target below
/// 2^127, at a price below 2^128 over 2^64; and an overflow below 2^80.
fn off_target(view: &View, totals: &Totals, asset: usize) -> Wide {
    let before = Wide::from(view.pool.inventory(asset));
    let after = before + totals.want_in(asset) - totals.want_out(asset);
    let off = after - Wide::from(view.params.target(asset));
    let value = off * Wide::from(view.reference.pbar(asset));
    value.shift_right(PRICE_SHIFT) - Wide::from(view.overflow(asset))
}

fn log_price(view: &View, asset: usize) -> i128 {
    log_ratio(view.price(asset), view.reference.pbar(asset)).unwrap_or(FAR)
}

/// E by asset, scale 2^64: a unit for each fill received, a grain for each partial one.
///
/// All together below 2^171: 2^24 orders, each twice at most 17/16 of a grain of 2^15 units at a
/// price below 2^128, and one unit of a price.
fn errors(view: &View, totals: &Totals) -> Vec<Wide> {
    let received = |asset: usize| {
        let unit = Wide::from(view.reference.pbar(asset)) + Wide::from(ONE);
        unit * Wide::from(totals.wants(asset) + 1)
    };
    let mut errors: Vec<Wide> = (0..view.n).map(received).collect();
    for line in totals.lines.iter().filter(|line| line.partials > 0) {
        let pay = line.rate.pay;
        let grain = Wide::from(view.reference.pbar(pay));
        let grain = grain.shift_left(grain_shift(view, pay));
        let moved = (grain * Wide::from(17u64)).shift_right(4);
        let moved = moved * Wide::from(line.partials);
        errors[pay] += moved;
        errors[line.rate.receive] += moved;
    }
    errors
}

fn decimals(view: &View, asset: usize) -> u64 {
    view.registry[ASSET_WORDS * asset + DECIMALS]
}

/// Log2 of the grain of partial fills, base units of the asset paid.
pub(super) fn grain_shift(view: &View, asset: usize) -> u32 {
    partial_fill_shift(decimals(view, asset))
}
