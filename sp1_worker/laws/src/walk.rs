//! L13 to L18 in one walk over vaults and orders: what an honest witness costs.
//!
//! The walk either finds that all of these laws hold, or finds nothing; then each law is asked in
//! its plain form, which knows the smallest index. On its way the walk derives the roots of the
//! vaults after the epoch and of the settlement rows; neither table is ever laid out whole.

use alloc::vec::Vec;
use core::slice::Iter;

use crate::clearing::demanded;
use crate::l15_expiry::expired;
use crate::l18_diffs::{allowance, payout, Diff, POOL, USER_FIRST};
use crate::limits::{ASSETS_MAX, BALANCE_MAX};
use crate::order_row::Order;
use crate::owners::{before, same, Owner};
use crate::rates::Rates;
use crate::settlement::settle_root;
use crate::sha256::{tag, tagged, Chunks, Digest, Hash, Sha256, Tag, CHUNK, CHUNK_ROWS};
use crate::view::View;

/// Tag of the vault rows' table root.
pub const VAULTS: Tag = tag(b"cfx.vaults.v1");
const ASSET_MASK: usize = ASSETS_MAX - 1;
const NONCE: usize = 4;

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
pub fn walk<S: Sha256>(view: &View<'_>, rates: &Rates, fills: u64) -> Option<Roots> {
    let mut hash = Hash::<S>::new();
    let (width, mut vaults) = (view.vault_words(), Chunks::default());
    let mut walker = Walker::start(view, rates, fills as usize)?;
    let followed = if view.left.is_empty() {
        0
    } else {
        view.vaults_count()
    };
    let (mut after, mut last_nonces) = (Vec::new(), Vec::with_capacity(followed));
    for chunk in view.vaults.chunks(CHUNK_ROWS * width) {
        after.clear();
        after.extend_from_slice(chunk);
        walker.take(chunk, &mut after, width)?;
        vaults.add(tagged(&mut hash, &CHUNK, &[&after]), chunk.len() / width);
        if followed > 0 {
            last_nonces.extend(after.iter().skip(NONCE).step_by(width));
        }
    }
    let lawful = walker.is_done() && left_follow(view, &last_nonces) && none_left(view, rates);
    lawful.then(|| Roots {
        settle: settle_root(view, &mut hash),
        vaults_after: vaults.root(&mut hash, &VAULTS),
        fills,
    })
}

/// What the walk has not come to yet, and what the next rows are numbered.
struct Walker<'a> {
    view: &'a View<'a>,
    rates: &'a Rates,
    epoch: u64,
    pool: &'a Owner,
    previous: Option<&'a Owner>,
    user: u64,
    rows: &'a [[u64; 10]],
    paid: &'a [u64],
    amounts: &'a [[u64; 2]],
    allowances: &'a [Diff],
    payouts: Iter<'a, [Diff; 2]>,
    order: u64,
    payout: u64,
    payout_nonce: u64,
    /// Budgets of a vault's orders so far, by pay asset; zero between vaults.
    promised: [u64; ASSETS_MAX],
}

impl<'a> Walker<'a> {
    fn start(view: &'a View<'a>, rates: &'a Rates, fills: usize) -> Option<Self> {
        let split = view.consumed.len() + fills;
        let (allowances, payouts) = view.diffs.split_at_checked(split)?;
        let (payouts, over) = payouts.as_chunks();
        over.is_empty().then_some(Self {
            view,
            rates,
            epoch: view.epoch,
            pool: view.pool.owner,
            previous: None,
            user: USER_FIRST,
            rows: view.consumed,
            paid: view.paid,
            amounts: view.amounts,
            allowances,
            payouts: payouts.iter(),
            order: 0,
            payout: view.consumed.len() as u64,
            payout_nonce: view.pool.nonce.wrapping_add(1),
            promised: [0; ASSETS_MAX],
        })
    }

    fn is_done(&self) -> bool {
        self.rows.is_empty() && self.allowances.is_empty() && self.payouts.len() == 0
    }

    /// Vault rows, of which `after` is a copy that becomes what their orders make of them.
    #[inline(never)]
    fn take(&mut self, vaults: &'a [u64], after: &mut [u64], width: usize) -> Option<()> {
        let mut pairs = vaults
            .chunks_exact(width)
            .zip(after.chunks_exact_mut(width));
        pairs.try_for_each(|(vault, after)| {
            let (owner, [nonce, balances @ ..]) = vault.split_first_chunk()? else {
                return None;
            };
            let [_, _, _, _, last_nonce, after @ ..] = after else {
                return None;
            };
            let sorted = self.previous.is_none_or(|previous| before(previous, owner));
            if !sorted || same(owner, self.pool) {
                return None;
            }
            self.previous = Some(owner);
            *last_nonce = self.follow(owner, *nonce)?;
            self.orders((*last_nonce).wrapping_sub(*nonce) as usize, balances, after)?;
            self.user = self.user.wrapping_add(1);
            Some(())
        })
    }

    /// Nonce of the last order of an owner whose vault has `nonce`.
    #[inline(always)]
    fn follow(&self, owner: &Owner, nonce: u64) -> Option<u64> {
        let mut last = nonce;
        for order in self.rows.iter().map(Order) {
            if !same(&order.owner(), owner) {
                break;
            }
            last = last.wrapping_add(1);
            if order.nonce() != last || expired(order.valid_until(), self.epoch) {
                return None;
            }
        }
        Some(last)
    }

    /// The next `count` orders, all of one vault.
    #[inline(always)]
    fn orders(&mut self, count: usize, balances: &[u64], after: &mut [u64]) -> Option<()> {
        let (rows, rest) = self.rows.split_at_checked(count)?;
        self.rows = rest;
        let (paid, rest) = self.paid.split_at_checked(count)?;
        self.paid = rest;
        let (amounts, rest) = self.amounts.split_at_checked(count)?;
        self.amounts = rest;
        for ((row, paid), [received, _]) in rows.iter().zip(paid).zip(amounts) {
            let order = Order(row);
            self.promise(order, balances)?;
            // Paid is at most the budget (L1), so no more is paid of an asset than there was.
            let balance = after.get_mut(order.pay())?;
            *balance = balance.wrapping_sub(*paid);
            if *paid == 0 {
                self.unfilled(order)?;
                continue;
            }
            // Both are below 2^63: received by L3.
            let balance = after.get_mut(order.receive())?;
            *balance = balance.wrapping_add(*received);
            if *balance > BALANCE_MAX || *received == 0 {
                return None;
            }
            self.filled(order, *paid, *received)?;
        }
        for row in rows {
            self.promised[Order(row).pay() & ASSET_MASK] = 0;
        }
        let (last, paid) = (Order(rows.last()?), paid.last()?);
        let index = (self.order as usize).wrapping_sub(1);
        let moves = *paid > 0 || !last.trades() || demanded(self.view, self.rates, index) > 0;
        moves.then_some(())
    }

    #[inline(always)]
    fn promise(&mut self, order: Order<'_>, balances: &[u64]) -> Option<()> {
        let promised = &mut self.promised[order.pay() & ASSET_MASK];
        // At most a balance before, so below 2^64 with one more budget.
        *promised = promised.wrapping_add(order.budget());
        (*promised <= *balances.get(order.pay())?).then_some(())
    }

    #[inline(always)]
    fn unfilled(&mut self, order: Order<'_>) -> Option<()> {
        let (debit, rest) = self.allowances.split_first()?;
        self.allowances = rest;
        let position = self.order;
        self.order = position.wrapping_add(1);
        equal(debit, allowance(position, self.user, order, 0)).then_some(())
    }

    #[inline(always)]
    fn filled(&mut self, order: Order<'_>, paid: u64, received: u64) -> Option<()> {
        let ([debit, credit], rest) = self.allowances.split_first_chunk()?;
        self.allowances = rest;
        let position = self.order;
        self.order = position.wrapping_add(1);
        if !equal(
            debit,
            allowance(position, self.user, order, paid.wrapping_neg()),
        ) || !equal(credit, allowance(position, POOL, order, paid))
        {
            return None;
        }
        let [debit, credit] = self.payouts.next()?;
        let (position, nonce) = (self.payout, self.payout_nonce);
        self.payout = position.wrapping_add(1);
        self.payout_nonce = nonce.wrapping_add(1);
        let paid_out = equal(
            debit,
            payout(position, POOL, order, received.wrapping_neg(), nonce),
        ) && equal(credit, payout(position, self.user, order, received, nonce));
        paid_out.then_some(())
    }
}

/// Word by word: a call of memcmp costs more than it saves.
#[inline(always)]
fn equal(claimed: &Diff, due: Diff) -> bool {
    claimed[0] == due[0] && claimed[1] == due[1] && claimed[2] == due[2] && claimed[3] == due[3]
}

/// Whether no left order is demanded, as L14 asks.
fn none_left(view: &View<'_>, rates: &Rates) -> bool {
    // Without a ration what is demanded is paid, and left orders pay nothing.
    let mut left = view.consumed.len()..view.orders_count();
    view.omega.is_none() || left.all(|index| demanded(view, rates, index) == 0)
}

/// L13 to L15 of the left orders, given the last consumed nonce of each vault, which are sorted.
fn left_follow(view: &View<'_>, last_nonces: &[u64]) -> bool {
    let vaults = view.vaults.chunks_exact(view.vault_words());
    let mut ends = vaults.filter_map(|row| row.first_chunk()).zip(last_nonces);
    let (mut end, mut previous) = (ends.next(), None::<Order<'_>>);
    view.left.iter().map(Order).all(|order| {
        let (owner, last) = (order.owner(), previous.replace(order));
        if !order.trades() || expired(order.valid_until(), view.epoch) {
            return false;
        }
        if let Some(last) = last {
            if same(&last.owner(), &owner) {
                return order.nonce() == last.nonce().wrapping_add(1);
            }
            if !before(&last.owner(), &owner) {
                return false;
            }
        }
        while end.is_some_and(|(vault, _)| before(vault, &owner)) {
            end = ends.next();
        }
        let own = end.filter(|(vault, _)| same(vault, &owner));
        own.is_none_or(|(_, nonce)| order.nonce() == nonce.wrapping_add(1))
    })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{walk, NONCE};
    use crate::l00_decode::decode;
    use crate::l16_balances;
    use crate::limits::BALANCE_MAX;
    use crate::order_row::Order;
    use crate::software_sha256::Software;
    use crate::state_after::{roots, vault_runs};
    use crate::view::View;
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
            let (view, rates) = decode(&words, 8 * words.len()).expect("it decodes");
            let plain = roots::<Software>(&view);
            assert_eq!(
                walk::<Software>(&view, &rates, plain.fills),
                Some(plain),
                "{name}"
            );
        }
    }

    #[test]
    fn what_breaks_a_law_of_the_walk_is_not_walked() {
        let mut of_the_pool = 0;
        for law in ["l13-", "l14-", "l15-", "l16-", "l17-", "l18-"] {
            let broken = vectors(law);
            assert!(!broken.is_empty(), "{law}");
            for (name, words) in broken {
                let (view, rates) = decode(&words, 8 * words.len()).expect("it decodes");
                let fills = roots::<Software>(&view).fills;
                if walk::<Software>(&view, &rates, fills).is_none() {
                    continue;
                }
                // The pool's balances are no part of the walk.
                let pool = (view.orders_count() + view.vaults_count()) as u64;
                let found = l16_balances::check(&view).expect_err(&name);
                assert!(found.index >= pool, "{name}");
                of_the_pool += 1;
            }
        }
        assert!(of_the_pool > 0);
    }

    /// Vault and asset of a receipt that an order of the same vault pays away later.
    fn passed_on(view: &View<'_>) -> Option<(usize, usize)> {
        let filled = |at: &usize| view.paid[*at] > 0;
        vault_runs(view).enumerate().find_map(|(vault, run)| {
            let second = run.orders.clone().filter(filled).find_map(|second| {
                let asset = Order(&view.consumed[second]).pay();
                let first = (run.orders.start..second).filter(filled).find(|first| {
                    let received = view.amounts[*first][0];
                    let receives = Order(&view.consumed[*first]).receive() == asset;
                    receives && (1..=view.paid[second]).contains(&received)
                });
                first.map(|_| asset)
            });
            second.map(|asset| (vault, asset))
        })
    }

    #[test]
    fn a_balance_that_is_too_large_only_in_between_is_left_to_the_plain_form() {
        let mut met = 0;
        for (name, words) in vectors("valid-") {
            let (view, _) = decode(&words, 8 * words.len()).expect("it decodes");
            let Some((vault, asset)) = passed_on(&view) else {
                continue;
            };
            let place = vault * view.vault_words() + NONCE + 1 + asset;
            let offset = view.vaults[place..].as_ptr().addr() - words.as_ptr().addr();
            let mut fuller = words.clone();
            fuller[offset / 8] = BALANCE_MAX;
            let (view, rates) = decode(&fuller, 8 * words.len()).expect("it decodes");
            if l16_balances::check(&view).is_ok() {
                met += 1;
                assert_eq!(
                    walk::<Software>(&view, &rates, roots::<Software>(&view).fills),
                    None,
                    "{name}"
                );
            }
        }
        assert!(met > 0);
    }
}
