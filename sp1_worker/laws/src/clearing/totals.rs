//! The sums of the order pass by asset.

use alloc::vec;
use alloc::vec::Vec;

use super::pair_line::Line;
use super::sum::Sum;
use crate::wide::Wide;

/// Sums over all orders, base units of one asset.
#[derive(Clone, Copy, Default)]
pub struct AssetTotals {
    flow_in: Sum,
    flow_out: Sum,
    net_out: Sum,
    asked: Sum,
    want_in: Sum,
    want_out: Sum,
    budget: Sum,
    idle: Sum,
    /// Orders with want > 0 that receive it.
    pub wants: u64,
}

/// What the fills move of one asset, base units; below 2^87 each, given L1 and L3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Sum of paid.
    pub paid: u128,
    /// Sum of received + fee.
    pub gross: u128,
    /// Sum of fee.
    pub fees: u128,
}

/// Sums by asset, and by pair where the laws ask for them.
pub struct Totals<'a> {
    assets: Vec<AssetTotals>,
    /// The used pairs.
    pub lines: &'a [Line],
    rationed: bool,
}

impl<'a> Totals<'a> {
    /// Folds the sums of the pairs.
    pub fn of(n: usize, lines: &'a [Line], rationed: bool) -> Self {
        let mut assets = vec![AssetTotals::default(); n];
        for line in lines {
            let pay = &mut assets[line.rate.pay];
            pay.flow_in.merge(line.paid);
            pay.want_in.merge(line.want_in);
            pay.budget.merge(line.budget);
            pay.idle.merge(line.idle);
            let receive = &mut assets[line.rate.receive];
            receive.flow_out.merge(line.gross);
            receive.net_out.merge(line.net);
            receive.asked.merge(line.asked);
            receive.want_out.merge(line.want_out);
            receive.wants += line.wants;
        }
        Self {
            assets,
            lines,
            rationed,
        }
    }

    /// Sum of paid by pay asset.
    pub fn flow_in(&self, asset: usize) -> Wide {
        self.assets[asset].flow_in.wide()
    }

    /// Sum of received + fee by receive asset.
    pub fn flow_out(&self, asset: usize) -> Wide {
        self.assets[asset].flow_out.wide()
    }

    /// [`Totals::flow_in`] if everybody filled what is wanted.
    pub fn want_in(&self, asset: usize) -> Wide {
        if self.rationed {
            self.assets[asset].want_in.wide()
        } else {
            self.flow_in(asset)
        }
    }

    /// [`Totals::flow_out`] if everybody filled what is wanted.
    pub fn want_out(&self, asset: usize) -> Wide {
        if self.rationed {
            self.assets[asset].want_out.wide()
        } else {
            self.flow_out(asset)
        }
    }

    /// Sum of budgets by pay asset.
    pub fn budget(&self, asset: usize) -> Wide {
        self.assets[asset].budget.wide()
    }

    /// Budgets less wants, of orders in the money that are neither dust nor rejected.
    pub fn idle(&self, asset: usize) -> Wide {
        self.assets[asset].idle.wide()
    }

    /// Received less what the limits ask for, by receive asset.
    pub fn surplus(&self, asset: usize) -> Wide {
        self.assets[asset].net_out.wide() - self.assets[asset].asked.wide()
    }

    /// Orders with want > 0 that receive the asset.
    pub fn wants(&self, asset: usize) -> u64 {
        self.assets[asset].wants
    }

    /// What the fills move, by asset.
    pub fn flows(&self) -> Vec<Flow> {
        let narrow = |sum: Sum| sum.wide().to_u128().unwrap_or(u128::MAX);
        let flow = |totals: &AssetTotals| {
            let (received, gross) = (narrow(totals.net_out), narrow(totals.flow_out));
            Flow {
                paid: narrow(totals.flow_in),
                gross,
                fees: gross.saturating_sub(received),
            }
        };
        self.assets.iter().map(flow).collect()
    }
}
