//! L14: nonces are consecutive, and what is consumed has moved prices or balances.
//!
//! A vault's consumed orders have the nonces that follow its own, without a gap, and the last of
//! them is filled, demanded or a cancel. Its left orders follow those; none of them is a cancel or
//! demanded. The vault rows are exactly those of the consumed orders.
//! Index: order index; K + i for vault row i that no consumed order names.

use alloc::collections::BTreeMap;

use crate::clearing::demanded;
use crate::order_row::Order;
use crate::owners::{same, Owner};
use crate::rates::Rates;
use crate::view::View;
use crate::violation::Violation;

const LAW: u8 = 14;

/// Row by row; the smallest index, given that L13 holds.
pub fn check(view: &View<'_>, rates: &Rates) -> Result<(), Violation> {
    let mut last = check_consumed(view, rates)?;
    for (place, row) in view.left.iter().enumerate() {
        let (order, index) = (Order(row), view.consumed.len() + place);
        if !order.trades() {
            return Err(Violation::new(LAW, index, order.kind(), 1u64));
        }
        let wanted = demanded(view, rates, index);
        if wanted > 0 {
            return Err(Violation::new(LAW, index, wanted, 0u64));
        }
        if let Some(nonce) = last.insert(order.owner(), order.nonce()) {
            expect_next(index, order.nonce(), nonce)?;
        }
    }
    Ok(())
}

/// Last consumed nonce by owner.
fn check_consumed(view: &View<'_>, rates: &Rates) -> Result<BTreeMap<Owner, u64>, Violation> {
    let mut last = BTreeMap::new();
    let (mut vaults, mut nonce) = (view.vault_rows(), 0);
    for (index, row) in view.consumed.iter().enumerate() {
        let order = Order(row);
        let owner = order.owner();
        if index == 0 || !same(&Order(&view.consumed[index - 1]).owner(), &owner) {
            let Some(vault) = vaults.next().filter(|vault| same(vault.owner, &owner)) else {
                return Err(Violation::new(LAW, index, 0u64, 1u64));
            };
            nonce = vault.nonce;
        }
        expect_next(index, order.nonce(), nonce)?;
        nonce = order.nonce();
        last.insert(owner, nonce);
        let next = view.consumed.get(index + 1).map(Order);
        let ends = next.is_none_or(|next| !same(&next.owner(), &owner));
        if ends && order.trades() && demanded(view, rates, index) == 0 {
            return Err(Violation::new(LAW, index, 0u64, 1u64));
        }
    }
    let unnamed = vaults.count();
    if unnamed > 0 {
        let place = view.vaults_count() - unnamed;
        let index = view.orders_count() + place;
        return Err(Violation::new(LAW, index, place, place));
    }
    Ok(last)
}

fn expect_next(index: usize, nonce: u64, previous: u64) -> Result<(), Violation> {
    // Both are below 2^63.
    if nonce == previous + 1 {
        Ok(())
    } else {
        Err(Violation::new(LAW, index, nonce, previous + 1))
    }
}
