//! The pass over all orders: L1 to L5, the orders' part of L10, L17, and every sum.
//!
//! An order that breaks a law is not looked at any further: the verdict is then this law or a
//! smaller one, and no sum is read.

use alloc::vec::Vec;

use super::pair_line::Line;
use super::price_rule::grain_shift;
use super::ration::cut;
use crate::limits::BALANCE_MAX;
use crate::order_row::Order;
use crate::rates::Rates;
use crate::skipped::Skipped;
use crate::units::{word_product, RATION_SHIFT};
use crate::view::View;
use crate::violation::Violation;

/// What all orders together are found to be.
pub struct Findings {
    /// Smallest violation of L1 to L5.
    pub smallest: Option<Violation>,
    /// First order that breaks L10.
    pub ration: Option<Violation>,
    /// First order that breaks L17.
    pub unreceived: Option<Violation>,
    /// Orders with paid > 0.
    pub fills: u64,
    /// The used pairs with their sums, in the order of [`Rates::pairs`].
    pub lines: Vec<Line>,
}

/// Holds every order to the order laws.
pub fn inspect(view: &View, rates: &Rates, skipped: Skipped) -> Findings {
    match view.omega {
        None => Pass::<false>::new(view, rates, skipped).run(view),
        Some(_) => Pass::<true>::new(view, rates, skipped).run(view),
    }
}

/// What a consumed order claims; a left one claims nothing.
#[derive(Clone, Copy, Default)]
struct Claim {
    paid: u64,
    received: u64,
    fee: u64,
}

struct Pass<'a, const RATIONED: bool> {
    rates: &'a Rates,
    lines: Vec<Line>,
    demands: Cursor<'a>,
    rejects: Cursor<'a>,
    breaches: Breaches,
    fills: u64,
}

impl<'a, const RATIONED: bool> Pass<'a, RATIONED> {
    fn new(view: &View<'a>, rates: &'a Rates, skipped: Skipped) -> Self {
        let lines = rates.pairs().iter();
        Self {
            rates,
            lines: lines
                .map(|rate| Line::new(rate, cut(view, rate), 1 << grain_shift(view, rate.pay)))
                .collect(),
            demands: Cursor(view.demands),
            rejects: Cursor(view.rejects),
            breaches: Breaches::new(view.n, skipped),
            fills: 0,
        }
    }

    fn run(mut self, view: &View) -> Findings {
        // One length for the three of them, as L0 asks; zipped iterators cost ten instructions more
        // for each order than a place does.
        let count = view.consumed.len();
        let (paid, amounts) = (&view.paid[..count], &view.amounts[..count]);
        for (index, row) in view.consumed.iter().enumerate() {
            let (paid, [received, fee]) = (paid[index], amounts[index]);
            if Order(row).trades() {
                let claim = Claim {
                    paid,
                    received,
                    fee,
                };
                self.judge(index, Order(row), claim);
            }
        }
        for (index, row) in (count..).zip(view.left) {
            if Order(row).trades() {
                self.judge(index, Order(row), Claim::default());
            }
        }
        Findings {
            smallest: self.breaches.smallest,
            ration: self.breaches.ration,
            unreceived: self.breaches.unreceived,
            fills: if RATIONED {
                self.fills
            } else {
                self.lines.iter().map(|line| line.wants).sum()
            },
            lines: self.lines,
        }
    }

    /// Holds one order to the laws in their order and adds it to its pair.
    #[inline(always)]
    fn judge(&mut self, index: usize, order: Order, claim: Claim) {
        let place = self.rates.place(order.pay(), order.receive());
        let (line, breaches) = (&mut self.lines[place], &mut self.breaches);
        let (paid, budget, net) = (claim.paid, order.budget(), line.rate.net);
        let limit = line.rate.limit(order);
        let mut rejected = false;
        let mut want = paid;
        if RATIONED {
            rejected = self.rejects.at(index).is_some();
            want = self
                .demands
                .at(index)
                .unwrap_or(if net < limit || rejected { 0 } else { budget });
        }
        line.budget.add(budget);
        if want > budget && breaches.of(1, index, want, budget)
            || paid > want && breaches.of(1, index, paid, want)
            || want > 0 && net < limit && breaches.of(2, index, net, limit)
        {
            return;
        }
        if paid > 0 {
            if RATIONED {
                self.fills += 1;
            }
            if !settle(line, limit, claim)
                && breaches.of_amounts(index, line, paid, claim.received, claim.fee)
            {
                return;
            }
            if claim.received == 0 {
                breaches.of_nothing_received(index);
            }
        } else if claim.received | claim.fee > 0
            && breaches.of_amounts(index, line, 0, claim.received, claim.fee)
        {
            return;
        }
        let (left, near) = (want < budget, line.rate.at_price(limit));
        if (near || left && (net > limit || limit <= line.rate.worst)) && budget > line.dust {
            if !RATIONED {
                rejected = self.rejects.at(index).is_some();
            }
            if !rejected {
                if near {
                    line.levels.add(limit, want, budget);
                } else if breaches.of(4, index, want, budget) {
                    return;
                }
                // At the edge of its band a price equals the limit of an order that is clearly in.
                if left && net > limit {
                    line.idle.add(budget - want);
                }
            }
        }
        if want > 0 {
            line.wants = line.wants.wrapping_add(1);
            if want < budget {
                line.partials = line.partials.wrapping_add(1);
            }
            let least = order.min_fill();
            let short = if paid > 0 && paid < least { paid } else { want };
            if short < least && breaches.of(5, index, short, least) {
                return;
            }
        }
        if RATIONED {
            add_wanted(line, want);
            let kept = kept(line, want);
            if want > 0 && want <= line.dust {
                breaches.of_ration(index, want, 0);
            } else if paid != kept {
                breaches.of_ration(index, paid, kept);
            }
        }
    }
}

/// L3, and the sums of what is paid and received; whether the claimed amounts are those that follow
/// and their sum is below 2^63.
#[inline(always)]
fn settle(line: &mut Line, limit: u64, claim: Claim) -> bool {
    line.paid.add(claim.paid);
    if claim.paid > line.most {
        return settle_wide(line, limit, claim.paid, claim.received, claim.fee);
    }
    let scaled = line.scaled(claim.paid);
    let net = line.receives(scaled, line.rate.net);
    // Below R < 2^63, see `receives`.
    let gross = line.receives(scaled, line.rate.gross);
    line.net.add(net);
    line.gross.add(gross);
    line.asked.add(line.receives(scaled, limit));
    claim.received == net && claim.fee == gross.wrapping_sub(net)
}

/// [`settle`] of an amount from 2^S on: what is received may take two words.
#[cold]
#[inline(never)]
fn settle_wide(line: &mut Line, limit: u64, paid: u64, received: u64, fee: u64) -> bool {
    let (net, gross) = (line.rate.net_of(paid), line.rate.gross_of(paid));
    line.net.add_wide(net);
    line.gross.add_wide(gross);
    line.asked
        .add_wide(word_product(paid, limit) >> line.rate.shift);
    let follows = u128::from(received) == net && u128::from(fee) == gross - net;
    follows && gross <= u128::from(BALANCE_MAX)
}

/// The flow that an order would make without rationing.
fn add_wanted(line: &mut Line, want: u64) {
    line.want_in.add(want);
    if want <= line.most {
        let gross = line.receives(line.scaled(want), line.rate.gross);
        line.want_out.add(gross);
    } else {
        line.want_out.add_wide(line.rate.gross_of(want));
    }
}

/// What a ration leaves of `want`; nothing where that would receive nothing.
pub(super) fn kept(line: &Line, want: u64) -> u64 {
    // At most `want`, since at most the whole is kept.
    let kept = (word_product(want, line.kept) >> RATION_SHIFT) as u64;
    if kept > line.dust {
        kept
    } else {
        0
    }
}

/// The rows of a list by order index, read once from its begin to its end.
pub(super) struct Cursor<'a>(pub(super) &'a [[u64; 2]]);

impl Cursor<'_> {
    /// The value listed for an order; indices of calls increase.
    #[inline(always)]
    pub(super) fn at(&mut self, index: usize) -> Option<u64> {
        while let [[place, value], rest @ ..] = self.0 {
            if *place >= index as u64 {
                return (*place == index as u64).then_some(*value);
            }
            self.0 = rest;
        }
        None
    }
}

/// The smallest violations so far: of L1 to L5, of L10 and of L17.
struct Breaches {
    n: usize,
    skipped: Skipped,
    smallest: Option<Violation>,
    ration: Option<Violation>,
    unreceived: Option<Violation>,
}

impl Breaches {
    fn new(n: usize, skipped: Skipped) -> Self {
        Self {
            n,
            skipped,
            smallest: None,
            ration: None,
            unreceived: None,
        }
    }

    /// An order breaks one of L1 to L5; false where the law is not looked at.
    #[cold]
    #[inline(never)]
    fn of(&mut self, law: u8, index: usize, observed: u64, bound: u64) -> bool {
        self.offer(Violation::new(law, index, observed, bound))
    }

    /// An order breaks L3.
    #[cold]
    #[inline(never)]
    fn of_amounts(
        &mut self,
        index: usize,
        line: &Line,
        paid: u64,
        received: u64,
        fee: u64,
    ) -> bool {
        let (net, gross) = (line.rate.net_of(paid), line.rate.gross_of(paid));
        let (received, fee) = (u128::from(received), u128::from(fee));
        let (observed, bound) = if received != net {
            (received, net)
        } else if fee != gross - net {
            (fee, gross - net)
        } else {
            (gross, u128::from(BALANCE_MAX))
        };
        self.offer(Violation::new(3, index, observed, bound))
    }

    /// An order breaks L10; the index counts on from the assets.
    #[cold]
    #[inline(never)]
    fn of_ration(&mut self, index: usize, observed: u64, bound: u64) {
        let violation = Violation::new(10, self.n + index, observed, bound);
        self.ration.get_or_insert(violation);
    }

    /// An order breaks L17.
    #[cold]
    #[inline(never)]
    fn of_nothing_received(&mut self, index: usize) {
        let violation = Violation::new(17, index, 0u64, 1u64);
        self.unreceived.get_or_insert(violation);
    }

    fn offer(&mut self, found: Violation) -> bool {
        if self.skipped.skips(found.law) {
            return false;
        }
        match &mut self.smallest {
            Some(smallest) if smallest.rank() <= found.rank() => {}
            smallest => *smallest = Some(found),
        }
        true
    }
}
