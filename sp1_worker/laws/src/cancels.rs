//! L1 and L3 for cancels: nothing paid, nothing received. They are no part of the clearing.

use crate::order_row::Order;
use crate::skipped::Skipped;
use crate::view::View;
use crate::violation::Violation;

const BUDGET_LAW: u8 = 1;
const AMOUNTS_LAW: u8 = 3;

/// The smallest (law, index) that a consumed cancel breaks, index an order index.
pub fn check(view: &View<'_>, skipped: Skipped) -> Result<(), Violation> {
    if view.cancels == 0 || skipped.skips(BUDGET_LAW) || skipped.skips(AMOUNTS_LAW) {
        return Ok(());
    }
    let mut amounts = None;
    for (index, row) in view.consumed.iter().enumerate() {
        if Order(row).trades() {
            continue;
        }
        let (paid, [received, fee]) = (view.paid[index], view.amounts[index]);
        if paid > 0 {
            return Err(Violation::new(BUDGET_LAW, index, paid, 0u64));
        }
        if received > 0 || fee > 0 {
            let seen = received.max(fee);
            amounts = amounts.or(Some(Violation::new(AMOUNTS_LAW, index, seen, 0u64)));
        }
    }
    amounts.map_or(Ok(()), Err)
}
