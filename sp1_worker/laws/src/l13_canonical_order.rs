//! L13: orders stand in the canonical order and none twice; so do vaults, the pool not among them.
//!
//! Index: order index of a row that does not stand after the one before it in its list; K + i for
//! vault row i that does not, or that is the pool.

use crate::order_row::Order;
use crate::owners::{before, same, Owner};
use crate::view::View;
use crate::violation::Violation;

const LAW: u8 = 13;

/// Row by row; the smallest index.
pub fn check(view: &View<'_>) -> Result<(), Violation> {
    check_rows(view.consumed, 0)?;
    check_rows(view.left, view.consumed.len())?;
    let mut previous: Option<Owner> = None;
    for (place, vault) in view.vault_rows().enumerate() {
        let sorted = previous.is_none_or(|owner| before(&owner, vault.owner));
        if !sorted || same(vault.owner, view.pool.owner) {
            let index = view.orders_count() + place;
            return Err(Violation::new(LAW, index, place, place));
        }
        previous = Some(*vault.owner);
    }
    Ok(())
}

fn check_rows(rows: &[[u64; 10]], first: usize) -> Result<(), Violation> {
    for (place, pair) in rows.windows(2).enumerate() {
        let (left, right) = (Order(&pair[0]), Order(&pair[1]));
        let (owner, nonce) = (right.owner(), right.nonce());
        let follows = if same(&left.owner(), &owner) {
            left.nonce() < nonce
        } else {
            before(&left.owner(), &owner)
        };
        if !follows {
            return Err(Violation::new(LAW, first + place + 1, nonce, left.nonce()));
        }
    }
    Ok(())
}
