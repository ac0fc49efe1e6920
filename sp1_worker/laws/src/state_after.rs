//! What the fills make of vaults and pool, one row at a time: the plain form of [`crate::walk`].

use alloc::vec::Vec;
use core::ops::Range;

use crate::limits::ASSETS_MAX;
use crate::order_row::Order;
use crate::owners::same;
use crate::settlement::SETTLE;
use crate::sha256::{table_root, Hash, Sha256};
use crate::view::{Vault, View};
use crate::walk::{Roots, VAULTS};

/// Sums of one asset over the consumed orders, base units.
#[derive(Clone, Copy, Default)]
pub struct Flow {
    /// Paid by the orders.
    pub paid: i128,
    /// Received by them, net of fees.
    pub received: i128,
    /// Fees that stay in the pool.
    pub fees: i128,
}

impl Flow {
    /// The pool's balance after it.
    pub fn after(&self, balance: u64) -> i128 {
        i128::from(balance) + self.paid - self.received
    }
}

/// A vault with the consumed orders of its owner.
pub struct Run<'a> {
    /// The vault before the epoch.
    pub vault: Vault<'a>,
    /// Order indices.
    pub orders: Range<usize>,
}

impl Run<'_> {
    /// Balances after the epoch; those of assets beyond n mean nothing.
    pub fn balances_after(&self, view: &View<'_>) -> [i128; ASSETS_MAX] {
        let mut after = [0; ASSETS_MAX];
        for (balance, before) in after.iter_mut().zip(self.vault.balances) {
            *balance = i128::from(*before);
        }
        for index in self.orders.clone() {
            let order = Order(&view.consumed[index]);
            after[order.pay()] -= i128::from(view.paid[index]);
            after[received_in(order)] += i128::from(view.amounts[index][0]);
        }
        after
    }
}

/// The vault rows with the runs of consumed orders of one owner, in their order, given that L13 and
/// L14 hold; a vault without orders has an empty run.
pub fn vault_runs<'a>(view: &'a View<'a>) -> impl Iterator<Item = Run<'a>> {
    let mut start = 0;
    view.vault_rows().map(move |vault| {
        let rows = &view.consumed[start..];
        let owner = rows.first().map(|row| Order(row).owner());
        let length = rows
            .iter()
            .take_while(|row| owner.is_some_and(|owner| same(&owner, &Order(row).owner())))
            .count();
        let orders = start..start + length;
        start = orders.end;
        Run { vault, orders }
    })
}

/// Receive asset of an order; of a cancel, which receives nothing, the numeraire.
fn received_in(order: Order<'_>) -> usize {
    if order.trades() {
        order.receive()
    } else {
        0
    }
}

/// What the pool takes in and gives out.
pub fn pool_flows(view: &View<'_>) -> [Flow; ASSETS_MAX] {
    let mut flows = [Flow::default(); ASSETS_MAX];
    for ((row, paid), [received, fee]) in view.consumed.iter().zip(view.paid).zip(view.amounts) {
        let order = Order(row);
        flows[order.pay()].paid += i128::from(*paid);
        let flow = &mut flows[received_in(order)];
        flow.received += i128::from(*received);
        flow.fees += i128::from(*fee);
    }
    flows
}

/// Roots of the settlement rows and of the vaults after the epoch.
pub fn roots<S: Sha256>(view: &View<'_>) -> Roots {
    let (mut settled, mut after) = (Vec::new(), Vec::new());
    for (paid, [received, _]) in view.paid.iter().zip(view.amounts) {
        settled.extend([*paid, *received]);
    }
    for run in vault_runs(view) {
        let last = view.consumed[run.orders.clone()].last();
        let nonce = last.map_or(run.vault.nonce, |row| Order(row).nonce());
        after.extend(run.vault.owner);
        after.push(nonce);
        after.extend(
            run.balances_after(view)[..view.n]
                .iter()
                .map(|balance| *balance as u64),
        );
    }
    let hash = &mut Hash::<S>::new();
    Roots {
        settle: table_root(hash, &SETTLE, &settled, 2),
        vaults_after: table_root(hash, &VAULTS, &after, view.vault_words()),
        fills: view.paid.iter().filter(|paid| **paid > 0).count() as u64,
    }
}
