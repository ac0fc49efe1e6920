//! L18: the claimed diff rows are those that follow from the fills, in submission order.
//!
//! A filled order moves paid from the vault to the pool and received back, so each token's sum over
//! all rows is zero. Index: the first row that differs, or that one side lacks.

use crate::order_row::Order;
use crate::state_after::vault_runs;
use crate::view::View;
use crate::violation::Violation;

const LAW: u8 = 18;
const ALLOWANCE: u64 = 1;
const PAYOUT: u64 = 2;

/// A diff row: position u32, vault u32, asset u32, kind u32, amount i64, new nonce u64.
pub type Diff = [u64; 4];

/// A vault in diff rows: the pool.
pub const POOL: u64 = 0;
/// A vault in diff rows: the first vault row, the others follow.
pub const USER_FIRST: u64 = 1;

/// Moves `amount` base units by the `position`-th verifiable, an order or cancel.
#[inline(always)]
pub fn allowance(position: u64, vault: u64, order: Order<'_>, amount: u64) -> Diff {
    let asset = order.pay() as u64 | ALLOWANCE << 32;
    [position | vault << 32, asset, amount, order.nonce()]
}

/// Moves `amount` base units by the `position`-th verifiable, the payout of an order.
#[inline(always)]
pub fn payout(position: u64, vault: u64, order: Order<'_>, amount: u64, nonce: u64) -> Diff {
    let asset = order.receive() as u64 | PAYOUT << 32;
    [position | vault << 32, asset, amount, nonce]
}

/// Row by row; the smallest index.
pub fn check(view: &View<'_>) -> Result<(), Violation> {
    let mut claimed = view.diffs.iter();
    let mut index = 0;
    let mut expect = |due: Diff| {
        let holds = claimed.next() == Some(&due);
        index += 1;
        holds
            .then_some(())
            .ok_or(Violation::new(LAW, index - 1, due[2], due[3]))
    };
    let orders = || {
        vault_runs(view)
            .zip(USER_FIRST..)
            .flat_map(|(run, user)| run.orders.map(move |at| (at, user)))
    };
    for (at, user) in orders() {
        let (order, paid) = (Order(&view.consumed[at]), view.paid[at]);
        expect(allowance(at as u64, user, order, paid.wrapping_neg()))?;
        if paid > 0 {
            expect(allowance(at as u64, POOL, order, paid))?;
        }
    }
    let filled = orders().filter(|(at, _)| view.paid[*at] > 0);
    for ((at, user), place) in filled.zip(0u64..) {
        let (order, [received, _]) = (Order(&view.consumed[at]), view.amounts[at]);
        let (position, nonce) = (
            view.consumed.len() as u64 + place,
            view.pool.nonce + 1 + place,
        );
        expect(payout(
            position,
            POOL,
            order,
            received.wrapping_neg(),
            nonce,
        ))?;
        expect(payout(position, user, order, received, nonce))?;
    }
    let (due, claimed) = (index, view.diffs.len());
    if claimed > due {
        return Err(Violation::new(LAW, due, claimed, due));
    }
    Ok(())
}
