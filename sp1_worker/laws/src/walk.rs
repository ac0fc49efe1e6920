//! L13 to L18 in one walk over vaults and orders: what an honest witness costs.
//!
//! The walk either finds that all of these laws hold, or finds nothing; then each law is asked in
//! its plain form, which knows the smallest index. What the walk derives on its way are the roots of
//! the vaults after the epoch and of the settlement rows; neither table is ever laid out.

use alloc::vec::Vec;
use core::iter::Zip;
use core::slice::Iter;

use crate::l15_expiry::expired;
use crate::l18_diffs::{allowance, payout, Diff, POOL, USER_FIRST};
use crate::limits::{ASSETS_MAX, BALANCE_MAX};
use crate::order_row::Order;
use crate::owners::{before, key, same};
use crate::sha256::{tag, Digest, Sha256, TableHash, Tag};
use crate::view::{Vault, View};

/// Tag of the settlement rows' table root.
pub const SETTLE: Tag = tag(b"cfx.settle.v1");
/// Tag of the vault rows' table root.
pub const VAULTS: Tag = tag(b"cfx.vaults.v1");
const ASSET_MASK: usize = ASSETS_MAX - 1;

/// What the laws after L18 need of the consumed orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots {
    /// Table root of the settlement rows.
    pub settle: Digest,
    /// Table root of the vaults after the epoch.
    pub vaults_after: Digest,
    /// How many of the consumed orders are filled.
    pub fills: u64,
}

/// The roots, if L13 to L15, L16 of the vaults, L17 and L18 hold, given that L1 to L12 do and that
/// `fills` orders are filled.
///
/// None where one of them does not, and in rare cases where it would take more to tell: a balance
/// that passes 2^63 in between.
pub fn walk<S: Sha256>(view: &View<'_>, fills: u64) -> Option<Roots> {
    let split = view.consumed.len() + fills as usize;
    let (allowances, payouts) = view.diffs.split_at_checked(split)?;
    let mut diffs = Diffs {
        allowances,
        payouts,
        position: 0,
        payout: view.consumed.len() as u64,
        nonce: view.pool.nonce,
    };
    let mut tables = Tables::<S> {
        settle: TableHash::new(),
        vaults: TableHash::new(),
    };
    let mut rows = Rows {
        orders: view.consumed.iter().zip(view.paid).zip(view.amounts),
        next: None,
    };
    rows.next = rows.orders.next();
    let mut ends = Vec::with_capacity(if view.left.is_empty() {
        0
    } else {
        view.vaults_count()
    });
    let mut previous = None;
    let mut purse = Purse::EMPTY;
    for (vault, user) in view.vault_rows().zip(USER_FIRST..) {
        let place = key(vault.owner);
        let sorted = previous.is_none_or(|(before_place, owner)| {
            before_place < place || before_place == place && before(owner, vault.owner)
        });
        if !sorted || same(vault.owner, view.pool.owner) {
            return None;
        }
        previous = Some((place, vault.owner));
        purse.open(vault.balances);
        let bearer = Bearer {
            vault,
            user,
            purse: &mut purse,
        };
        let nonce = one_vault(view.epoch, bearer, &mut rows, &mut diffs, &mut tables)?;
        if !view.left.is_empty() {
            ends.push(End {
                place,
                vault,
                nonce,
            });
        }
    }
    let whole = rows.next.is_none() && diffs.allowances.is_empty() && diffs.payouts.is_empty();
    if !whole || !left_follow(view, &ends) {
        return None;
    }
    Some(Roots {
        settle: tables.settle.finish(&SETTLE),
        vaults_after: tables.vaults.finish(&VAULTS),
        fills,
    })
}

type Orders<'a> = Zip<Zip<Iter<'a, [u64; 10]>, Iter<'a, u64>>, Iter<'a, [u64; 2]>>;

/// The consumed orders with paid amounts and receipts that are not taken yet.
struct Rows<'a> {
    orders: Orders<'a>,
    next: Option<<Orders<'a> as Iterator>::Item>,
}

struct Tables<S> {
    settle: TableHash<S>,
    vaults: TableHash<S>,
}

/// A vault that consumed orders name, with the nonce of the last of them.
struct End<'a> {
    place: u64,
    vault: Vault<'a>,
    nonce: u64,
}

/// Takes the orders of a vault; its nonce after them.
#[inline(always)]
fn one_vault<S: Sha256>(
    epoch: u64,
    bearer: Bearer<'_>,
    rows: &mut Rows<'_>,
    diffs: &mut Diffs<'_>,
    tables: &mut Tables<S>,
) -> Option<u64> {
    let Bearer { vault, user, purse } = bearer;
    let (mut nonce, mut acts) = (vault.nonce, false);
    while let Some(((row, paid), [received, _])) = rows.next {
        let order = Order(row);
        if !same(&order.owner(), vault.owner) {
            break;
        }
        nonce = nonce.wrapping_add(1);
        if order.nonce() != nonce || expired(order.valid_until(), epoch) {
            return None;
        }
        purse.take(order, *paid, *received)?;
        if *paid > 0 {
            diffs.filled(order, user, *paid, *received)?;
            acts = true;
        } else {
            diffs.unfilled(order, user)?;
            acts = !order.trades();
        }
        tables.settle.push(*paid);
        tables.settle.push(*received);
        tables.settle.end_row();
        rows.next = rows.orders.next();
    }
    if !acts {
        return None;
    }
    tables.vaults.append(vault.owner);
    tables.vaults.push(nonce);
    tables
        .vaults
        .append(&purse.balances[..vault.balances.len()]);
    tables.vaults.end_row();
    Some(nonce)
}

/// A vault whose orders are taken, its number in diff rows, and its opened purse.
struct Bearer<'a> {
    vault: Vault<'a>,
    user: u64,
    purse: &'a mut Purse,
}

/// A vault's balances while its orders are taken, and what their budgets leave of those before.
///
/// One for all vaults: to lay out a new one costs more than the orders of a vault.
struct Purse {
    balances: [u64; ASSETS_MAX],
    free: [u64; ASSETS_MAX],
}

impl Purse {
    const EMPTY: Self = Self {
        balances: [0; ASSETS_MAX],
        free: [0; ASSETS_MAX],
    };

    /// Holds the balances of another vault.
    #[inline(always)]
    fn open(&mut self, before: &[u64]) {
        for ((balance, free), before) in self.balances.iter_mut().zip(&mut self.free).zip(before) {
            (*balance, *free) = (*before, *before);
        }
    }

    #[inline(always)]
    fn take(&mut self, order: Order<'_>, paid: u64, received: u64) -> Option<()> {
        let pay = order.pay() & ASSET_MASK;
        let free = self.free[pay];
        if order.budget() > free {
            return None;
        }
        // Paid is at most the budget (L1), so what is paid of an asset is never more than it was.
        self.free[pay] = free.wrapping_sub(order.budget());
        self.balances[pay] = self.balances[pay].wrapping_sub(paid);
        if paid > 0 {
            // Both are below 2^63: received by L3.
            let balance = &mut self.balances[order.receive() & ASSET_MASK];
            *balance = balance.wrapping_add(received);
            if *balance > BALANCE_MAX || received == 0 {
                return None;
            }
        }
        Some(())
    }
}

/// The claimed diff rows that are not compared yet, and what the next ones are numbered.
struct Diffs<'a> {
    allowances: &'a [Diff],
    payouts: &'a [Diff],
    position: u64,
    payout: u64,
    nonce: u64,
}

impl Diffs<'_> {
    #[inline(always)]
    fn filled(&mut self, order: Order<'_>, user: u64, paid: u64, received: u64) -> Option<()> {
        let ([debit, credit], rest) = self.allowances.split_first_chunk()?;
        self.allowances = rest;
        let position = self.position;
        self.position = position.wrapping_add(1);
        let allowed = equal(debit, allowance(position, user, order, paid.wrapping_neg()))
            && equal(credit, allowance(position, POOL, order, paid));
        let ([debit, credit], rest) = self.payouts.split_first_chunk()?;
        self.payouts = rest;
        let position = self.payout;
        self.payout = position.wrapping_add(1);
        self.nonce = self.nonce.wrapping_add(1);
        let out = received.wrapping_neg();
        let paid_out = equal(debit, payout(position, POOL, order, out, self.nonce))
            && equal(credit, payout(position, user, order, received, self.nonce));
        (allowed && paid_out).then_some(())
    }

    #[inline(always)]
    fn unfilled(&mut self, order: Order<'_>, user: u64) -> Option<()> {
        let (debit, rest) = self.allowances.split_first()?;
        self.allowances = rest;
        let position = self.position;
        self.position = position.wrapping_add(1);
        equal(debit, allowance(position, user, order, 0)).then_some(())
    }
}

/// Word by word: a call of memcmp costs more than it saves.
#[inline(always)]
fn equal(claimed: &Diff, due: Diff) -> bool {
    claimed[0] == due[0] && claimed[1] == due[1] && claimed[2] == due[2] && claimed[3] == due[3]
}

/// L13 to L15 of the left orders, `ends` increasing by owner.
fn left_follow(view: &View<'_>, mut ends: &[End<'_>]) -> bool {
    let mut previous: Option<(u64, Order<'_>)> = None;
    view.left.iter().all(|row| {
        let (order, owner) = (Order(row), Order(row).owner());
        if !order.trades() || expired(order.valid_until(), view.epoch) {
            return false;
        }
        if let Some((_, last)) = previous.filter(|(_, last)| same(&last.owner(), &owner)) {
            let follows = order.nonce() == last.nonce().wrapping_add(1);
            previous = Some((previous.map_or(0, |(place, _)| place), order));
            return follows;
        }
        let place = key(&owner);
        let sorted = previous.is_none_or(|(before_place, last)| {
            before_place < place || before_place == place && before(&last.owner(), &owner)
        });
        previous = Some((place, order));
        while let [end, rest @ ..] = ends {
            if end.place > place || end.place == place && !before(end.vault.owner, &owner) {
                break;
            }
            ends = rest;
        }
        let end = ends.first().filter(|end| same(end.vault.owner, &owner));
        sorted && end.is_none_or(|end| order.nonce() == end.nonce.wrapping_add(1))
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::walk;
    use crate::l00_decode::decode;
    use crate::software_sha256::Software;
    use crate::state_after::roots;
    use std::vec::Vec;
    use std::{fs, path::Path};

    fn vectors(prefix: &str) -> Vec<(std::string::String, Vec<u64>)> {
        let laws = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/laws");
        let names = fs::read_dir(&laws)
            .expect("the vectors")
            .map(|entry| entry.expect("a file"));
        let chosen = names.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        let read = chosen.map(|entry| {
            let data = fs::read(entry.path()).expect("a vector");
            let words = data.as_chunks::<8>().0.iter();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, words.map(|word| u64::from_le_bytes(*word)).collect())
        });
        read.collect()
    }

    #[test]
    fn honest_witnesses_are_walked_and_give_the_roots_of_the_plain_form() {
        let honest = vectors("valid-");
        assert!(honest.len() >= 10);
        for (name, words) in honest {
            let (view, _) = decode(&words, 8 * words.len()).expect("it decodes");
            let plain = roots::<Software>(&view);
            assert_eq!(walk::<Software>(&view, plain.fills), Some(plain), "{name}");
        }
    }

    #[test]
    fn what_breaks_a_law_of_the_walk_is_not_walked() {
        let mut walked = Vec::new();
        for law in ["l13-", "l14-", "l15-", "l16-", "l17-", "l18-"] {
            let broken = vectors(law);
            assert!(!broken.is_empty(), "{law}");
            for (name, words) in broken {
                let (view, _) = decode(&words, 8 * words.len()).expect("it decodes");
                let fills = roots::<Software>(&view).fills;
                if walk::<Software>(&view, fills).is_some() {
                    walked.push(name);
                }
            }
        }
        // The pool's balances are no part of the walk.
        assert_eq!(walked, ["l16-pool-one-unit-short.bin"]);
    }
}
