//! Rates of the directed pairs that the orders trade: section 6 of L0 and the table made of it
//! (`docs/spec.md` section 7: S, R, Rn, l).

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::limits::RATE_SHIFT_MAX;
use crate::order_row::Order;
use crate::units::{limit_rate, net_rate, quotient_word, word_product, Leading, LIMIT_SLACK_SHIFT};
use crate::view::{wide, Params, Reference};
use crate::violation::{expect, Violation};

/// Least and greatest gross rate R.
const RATE_MIN: u64 = 1 << 60;
const RATE_MAX: u64 = (1 << 63) - 1;
/// Section 6.
const PRICES: usize = 6;
/// Places of pairs lie 64 to a pay asset.
const STRIDE_BITS: u32 = 6;
const PLACES: usize = 1 << (2 * STRIDE_BITS);

/// One directed pair; rates at scale `2^shift`.
#[derive(Clone, Copy)]
pub struct PairRate {
    /// Pay asset.
    pub pay: usize,
    /// Receive asset.
    pub receive: usize,
    /// S, 0 to 126.
    pub shift: u32,
    /// R, in [2^60, 2^63).
    pub gross: u64,
    /// Rn, in (0, R].
    pub net: u64,
    /// Rm: Rn at the worst prices inside the bands, the limit of a market order; below 2^62.
    pub worst: u64,
    /// The least limit that is not clearly in, see [`edge`].
    pub edge: u64,
}

/// The least limit above Rm that Rn beats by 2^-38 of it at most: the least l with
/// `l + (l >> 38) >= Rn`, which rises with l.
pub fn edge(net: u64, worst: u64) -> u64 {
    let near = net - (net >> LIMIT_SLACK_SHIFT);
    let missed = near + (near >> LIMIT_SLACK_SHIFT) < net;
    (near + u64::from(missed)).max(worst + 1)
}

impl PairRate {
    /// l: the least net rate that an order of the pair accepts.
    #[inline(always)]
    pub fn limit(&self, order: Order) -> u64 {
        if order.limited() {
            limit_rate(order.limit_m(), order.limit_e(), i64::from(self.shift))
        } else {
            self.worst
        }
    }

    /// Whether no price inside the bands breaks `limit`, or Rn beats it by more than 2^-38 of it.
    #[inline(always)]
    pub fn clearly_in(&self, limit: u64) -> bool {
        limit < self.edge
    }

    /// Whether Rn reaches `limit`, and it is not clearly in.
    #[inline(always)]
    pub fn at_price(&self, limit: u64) -> bool {
        limit >= self.edge && limit <= self.net
    }

    /// `(amount R) >> S`: below 2^128, as `amount R` is.
    pub fn gross_of(&self, amount: u64) -> u128 {
        word_product(amount, self.gross) >> self.shift
    }

    /// `(amount Rn) >> S`.
    pub fn net_of(&self, amount: u64) -> u128 {
        word_product(amount, self.net) >> self.shift
    }
}

/// The used pairs in the order of their rows, and where each stands.
pub struct Rates {
    pairs: Vec<PairRate>,
    places: Box<[u16; PLACES]>,
}

/// What section 6 is read against.
pub struct Given<'a> {
    /// Number of assets, 2 to 64.
    pub n: usize,
    /// Section 1, for the fees.
    pub params: &'a Params<'a>,
    /// Section 3.
    pub reference: &'a Reference<'a>,
    /// Pairs of the kind-1 orders: by pay asset, one bit for each receive asset.
    pub used: &'a [u64; 64],
}

impl Rates {
    /// Reads section 6: n prices and the rate rows of exactly the used pairs, increasing.
    ///
    /// L0 with index 6 for a price of zero, another set of pairs, a shift or rate that does not
    /// follow from the prices, and one outside [0, 126] or [2^60, 2^63).
    pub fn read(given: &Given, prices: &[[u64; 2]], rows: &[[u64; 2]]) -> Result<Self, Violation> {
        for price in prices {
            expect(wide(price) > 0, PRICES, 0u64, 1u64)?;
        }
        let assets: Vec<Leading> = (0..given.n)
            .map(|asset| Leading::of(given.reference.pbar(asset)))
            .collect();
        let mut rates = Self {
            pairs: Vec::with_capacity(rows.len()),
            places: Box::new([0; PLACES]),
        };
        for (pay, bits) in given.used.iter().enumerate() {
            for receive in (0..given.n).filter(|receive| bits >> receive & 1 == 1) {
                let place = rates.pairs.len();
                let row = rows.get(place).copied().unwrap_or_default();
                let shift = assets[pay].shift_to(&assets[receive]);
                rates.places[place_of(pay, receive)] = place as u16;
                rates
                    .pairs
                    .push(pair_rate(given, prices, (pay, receive), shift, row)?);
            }
        }
        let count = rates.pairs.len();
        expect(count == rows.len(), PRICES, rows.len(), count)?;
        Ok(rates)
    }

    /// The used pairs, increasing by (pay, receive).
    pub fn pairs(&self) -> &[PairRate] {
        &self.pairs
    }

    /// Place of a used pair among [`Rates::pairs`]; of one that is not used, any.
    #[inline(always)]
    pub fn place(&self, pay: usize, receive: usize) -> usize {
        usize::from(self.places[place_of(pay, receive)])
    }

    /// Rates of the pair of a kind-1 order.
    #[inline(always)]
    pub fn of(&self, order: Order) -> &PairRate {
        &self.pairs[self.place(order.pay(), order.receive())]
    }

    /// Demand that a rationed witness need not list, rejected orders aside: the budget of a kind-1
    /// order whose limit the net rate reaches, else 0.
    #[inline(always)]
    pub fn usual_demand(&self, order: Order) -> u64 {
        let pair = self.of(order);
        if pair.net >= pair.limit(order) {
            order.budget()
        } else {
            0
        }
    }
}

#[inline(always)]
fn place_of(pay: usize, receive: usize) -> usize {
    (pay << STRIDE_BITS | receive) % PLACES
}

fn pair_rate(
    given: &Given,
    prices: &[[u64; 2]],
    (pay, receive): (usize, usize),
    shift: i32,
    [head, gross]: [u64; 2],
) -> Result<PairRate, Violation> {
    let named = (pay as u64) | (receive as u64) << 16;
    expect(
        head & 0xFFFF_FFFF == named,
        PRICES,
        head & 0xFFFF_FFFF,
        named,
    )?;
    let inside = (0..=RATE_SHIFT_MAX).contains(&shift);
    expect(inside, PRICES, shift, RATE_SHIFT_MAX)?;
    let shift = shift as u32;
    expect(
        head >> 32 == u64::from(shift),
        PRICES,
        head >> 32,
        u64::from(shift),
    )?;
    let derived = rate(wide(&prices[pay]), wide(&prices[receive]), shift);
    let due = derived.filter(|rate| (RATE_MIN..=RATE_MAX).contains(rate));
    expect(
        due == Some(gross),
        PRICES,
        gross,
        derived.unwrap_or(u64::MAX),
    )?;
    let fee_ppm = given.params.fee_ppm[pay * given.n + receive];
    let (lowest, highest) = (given.reference.plo(pay), given.reference.phi(receive));
    // At most Pbar_i 2^S / Pbar_j < 2^62, as Plo <= Pbar <= Phi, so there is one.
    let worst = rate(lowest, highest, shift).unwrap_or(0);
    let (net, worst) = (net_rate(gross, fee_ppm), net_rate(worst, fee_ppm));
    Ok(PairRate {
        pay,
        receive,
        shift,
        gross,
        net,
        worst,
        edge: edge(net, worst),
    })
}

/// `floor(price_pay 2^shift / price_receive)` where it fits a word.
fn rate(price_pay: u128, price_receive: u128, shift: u32) -> Option<u64> {
    quotient_word(price_pay, shift, price_receive).map(|(rate, _)| rate)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn every_pair_of_64_assets_has_a_place_of_its_own() {
        let pairs = (0..64).flat_map(|pay| (0..64).map(move |receive| place_of(pay, receive)));
        let places: std::collections::BTreeSet<usize> = pairs.collect();
        assert_eq!(places.len(), 64 * 64);
        assert!(places.into_iter().all(|place| place < PLACES));
    }
}
