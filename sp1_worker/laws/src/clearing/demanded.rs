//! What an order would fill without rationing, looked up for one order.

use crate::order_row::Order;
use crate::rates::Rates;
use crate::view::View;

/// Demanded amount of the order at `index`, given L0; 0 of a cancel.
///
/// A rationed witness lists only demands that are not the usual ones, which are the budget where
/// the net rate reaches the limit and the order is not rejected, else 0.
pub fn demanded(view: &View, rates: &Rates, index: usize) -> u64 {
    let order = Order(view.order(index));
    if !order.trades() {
        return 0;
    }
    if view.omega.is_none() {
        return view.paid.get(index).copied().unwrap_or(0);
    }
    if let Some(listed) = listed(view.demands, index) {
        return listed;
    }
    let pair = rates.of(order);
    let reached = pair.net >= pair.limit(order) && listed(view.rejects, index).is_none();
    if reached {
        order.budget()
    } else {
        0
    }
}

/// The value of an order index in rows that increase by it.
fn listed(rows: &[[u64; 2]], index: usize) -> Option<u64> {
    let place = rows.binary_search_by_key(&(index as u64), |row| row[0]);
    place.ok().map(|at| rows[at][1])
}
