//! L15: no order stands in an epoch after its last one. Index: order index.
//!
//! `valid_until_epoch` 0 names the epoch that seals the order, which the witness does not know.

use crate::order_row::Order;
use crate::view::View;
use crate::violation::Violation;

const LAW: u8 = 15;

/// Row by row; the smallest index.
pub fn check(view: &View<'_>) -> Result<(), Violation> {
    for (index, row) in view.consumed.iter().chain(view.left).enumerate() {
        let last = Order(row).valid_until();
        if expired(last, view.epoch) {
            return Err(Violation::new(LAW, index, last, view.epoch));
        }
    }
    Ok(())
}

/// Whether the last epoch of an order lies before `epoch`, which is at least 1.
#[inline(always)]
pub fn expired(valid_until: u64, epoch: u64) -> bool {
    // One comparison for `0 < valid_until < epoch`: zero wraps to the top.
    valid_until.wrapping_sub(1) < epoch.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::expired;

    #[test]
    fn an_order_lives_to_the_end_of_its_last_epoch() {
        for epoch in [1, 2, 9, u64::MAX] {
            assert!(!expired(0, epoch) && !expired(epoch, epoch) && !expired(u64::MAX, epoch));
            assert_eq!(expired(epoch - 1, epoch), epoch > 1);
        }
    }
}
