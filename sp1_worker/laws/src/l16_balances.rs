//! L16: budgets fit the balances before the epoch, and every balance after it is in range.
//!
//! The budgets of a vault's consumed orders that pay one asset, summed in order, stay within the
//! vault's balance of it. Index: order index; K + i for vault row i with a balance after the epoch
//! outside [0, 2^63); K + V + asset for the pool's balance outside [fees accrued, 2^63).

use crate::limits::{ASSETS_MAX, BALANCE_MAX};
use crate::order_row::Order;
use crate::state_after::{pool_flows, vault_runs, Flow};
use crate::view::View;
use crate::violation::Violation;

const LAW: u8 = 16;

/// Row by row; the smallest index, given that L13 and L14 hold.
pub fn check(view: &View<'_>) -> Result<(), Violation> {
    for run in vault_runs(view) {
        let mut promised = [0u128; ASSETS_MAX];
        for index in run.orders.clone() {
            let order = Order(&view.consumed[index]);
            let (sum, balance) = (&mut promised[order.pay()], run.vault.balances[order.pay()]);
            *sum += u128::from(order.budget());
            if *sum > u128::from(balance) {
                return Err(Violation::new(LAW, index, *sum, balance));
            }
        }
    }
    for (place, run) in vault_runs(view).enumerate() {
        for balance in &run.balances_after(view)[..view.n] {
            in_range(view.orders_count() + place, *balance, 0)?;
        }
    }
    check_pool(view, &pool_flows(view))
}

/// The pool's part, from what it takes in and gives out.
pub fn check_pool(view: &View<'_>, flows: &[Flow; ASSETS_MAX]) -> Result<(), Violation> {
    let first = view.orders_count() + view.vaults_count();
    for (asset, flow) in flows[..view.n].iter().enumerate() {
        let fees = i128::from(view.pool.fees_accrued[asset]) + flow.fees;
        in_range(first + asset, flow.after(view.pool.balances[asset]), fees)?;
    }
    Ok(())
}

fn in_range(index: usize, value: i128, low: i128) -> Result<(), Violation> {
    if value < low {
        return Err(Violation::new(LAW, index, value, low));
    }
    if value > i128::from(BALANCE_MAX) {
        return Err(Violation::new(LAW, index, value, BALANCE_MAX));
    }
    Ok(())
}
