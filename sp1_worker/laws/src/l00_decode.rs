//! L0: the witness decodes, every byte is consumed, every number is in its range.
//!
//! Sections are judged one after the other, so the index of a violation is the first section that
//! does not hold; a section's checks look at earlier sections only. The frame around them is judged
//! before any section and has index 14.

use crate::l00_orders::{orders, Orders};
use crate::l00_parameters::{check_registry, params, reference};
use crate::limits::{BALANCE_MAX, NONCE_MAX, ORDERS_MAX, VALUE_MAX};
use crate::order_row::Order;
use crate::rates::{Given, Rates};
use crate::view::{signed, Pool, View};
use crate::violation::{expect, Violation};
use crate::words::{split, Sections};

const DOMAIN: usize = 0;
const PARAMS: usize = 1;
const REGISTRY: usize = 2;
const REFERENCE: usize = 3;
const VAULTS: usize = 4;
const ORDERS: usize = 5;
const PRICES: usize = 6;
const FILLS: usize = 7;
const INVENTORY: usize = 8;
const RATION: usize = 9;
const REJECTS: usize = 10;
const AMOUNTS: usize = 11;
const DIFFS: usize = 12;
const PUBLIC_VALUES: usize = 13;
const DIFF_ROWS_PER_ORDER_MAX: usize = 4;
const REJECT_KINDS: core::ops::RangeInclusive<u64> = 1..=2;

/// Decode a witness of `byte_length` bytes and check every size and range.
pub fn decode(words: &[u64], byte_length: usize) -> Result<(View<'_>, Rates), Violation> {
    let sections = split(words, byte_length)?;
    let (network, shard, epoch) = domain(sections.get(DOMAIN)?)?;
    let params = params(sections.get(PARAMS)?)?;
    let n = params.rows.len();
    let registry = sections.get(REGISTRY)?;
    check_registry(registry, n)?;
    let reference = reference(sections.get(REFERENCE)?, n, &params)?;
    let (pool, vaults) = pool_and_vaults(sections.get(VAULTS)?, n)?;
    let orders = orders(sections.get(ORDERS)?, n)?;
    let section = sections.get(PRICES)?;
    expect(section.len() >= 2 * n, PRICES, section.len(), 2 * n)?;
    let (prices, pairs) = section.split_at(2 * n);
    let prices = prices.as_chunks().0;
    let pairs = rows(pairs, PRICES, n * (n - 1))?;
    let given = Given {
        n,
        params: &params,
        reference: &reference,
        used: &orders.used,
    };
    let rates = Rates::read(&given, prices, pairs)?;
    let paid = exact(&sections, FILLS, orders.consumed.len())?;
    let inventory = inventory(exact(&sections, INVENTORY, 4 * n)?)?;
    let (omega, demands) = ration(sections.get(RATION)?, n, &orders, &rates)?;
    let rejects = rejects(sections.get(REJECTS)?, &orders, demands)?;
    let amounts = exact(&sections, AMOUNTS, 2 * orders.consumed.len())?;
    let diffs_max = DIFF_ROWS_PER_ORDER_MAX * orders.consumed.len();
    let view = View {
        n,
        network,
        shard,
        epoch,
        params,
        registry,
        reference,
        pool,
        vaults,
        consumed: orders.consumed,
        left: orders.left,
        cancels: orders.cancels,
        prices,
        paid,
        inventory,
        omega,
        demands,
        rejects,
        amounts: amounts.as_chunks().0,
        diffs: rows(sections.get(DIFFS)?, DIFFS, diffs_max)?,
        claimed: claimed(sections.get(PUBLIC_VALUES)?)?,
    };
    Ok((view, rates))
}

fn domain(words: &[u64]) -> Result<(&[u64; 4], u64, u64), Violation> {
    let Some((network, [shard, epoch])) = words.split_first_chunk::<4>() else {
        return Err(Violation::new(0, DOMAIN, words.len(), 6u64));
    };
    expect(*shard >= 1, DOMAIN, *shard, 1u64)?;
    expect(*epoch >= 1, DOMAIN, *epoch, 1u64)?;
    Ok((network, *shard, *epoch))
}

fn pool_and_vaults(words: &[u64], n: usize) -> Result<(Pool<'_>, &[u64]), Violation> {
    let size = 5 + 2 * n;
    expect(words.len() >= size, VAULTS, words.len(), size)?;
    let (words, vaults) = words.split_at(size);
    let pool = pool(words, n)?;
    let width = 5 + n;
    let (count, over) = (vaults.len() / width, vaults.len() % width);
    expect(over == 0, VAULTS, vaults.len(), width)?;
    expect(count <= ORDERS_MAX, VAULTS, count, ORDERS_MAX)?;
    // Nonces and balances have the same bound, so one sign bit speaks for all of them.
    for vault in vaults.chunks_exact(width) {
        let all = vault[4..].iter().fold(0, |all, word| all | word);
        expect(all <= BALANCE_MAX, VAULTS, all, BALANCE_MAX)?;
    }
    Ok((pool, vaults))
}

fn pool(words: &[u64], n: usize) -> Result<Pool<'_>, Violation> {
    let Some((owner, [nonce, amounts @ ..])) = words.split_first_chunk::<4>() else {
        return Err(Violation::new(0, VAULTS, words.len(), 5 + 2 * n));
    };
    let (balances, fees_accrued) = amounts.split_at(n);
    expect(*nonce <= NONCE_MAX, VAULTS, *nonce, NONCE_MAX)?;
    for (balance, fees) in balances.iter().zip(fees_accrued) {
        expect(*balance <= BALANCE_MAX, VAULTS, *balance, BALANCE_MAX)?;
        expect(fees <= balance, VAULTS, *fees, *balance)?;
    }
    Ok(Pool {
        words,
        owner,
        nonce: *nonce,
        balances,
        fees_accrued,
    })
}

fn inventory(words: &[u64]) -> Result<&[[u64; 4]], Violation> {
    let (rows, _) = words.as_chunks::<4>();
    for [low, high, ..] in rows {
        let overflow = signed(&[*low, *high]);
        let holds = overflow.unsigned_abs() <= VALUE_MAX;
        expect(holds, INVENTORY, overflow, VALUE_MAX)?;
    }
    Ok(rows)
}

/// Omega, and the order indices with the amounts that they demand.
type Ration<'a> = (Option<&'a [u64]>, &'a [[u64; 2]]);

fn ration<'a>(
    words: &'a [u64],
    n: usize,
    orders: &Orders<'_>,
    rates: &Rates,
) -> Result<Ration<'a>, Violation> {
    if words.is_empty() {
        return Ok((None, &[]));
    }
    expect(words.len() >= n, RATION, words.len(), n)?;
    let (omega, demands) = words.split_at(n);
    let count = orders.consumed.len() + orders.left.len();
    let demands = rows(demands, RATION, count)?;
    let mut next = 0;
    for [index, demanded] in demands {
        let order = listed(*index, &mut next, orders, RATION)?;
        let budget = order.budget();
        expect(*demanded <= budget, RATION, *demanded, budget)?;
        let usual = rates.usual_demand(order);
        expect(*demanded != usual, RATION, *demanded, usual)?;
    }
    Ok((Some(omega), demands))
}

fn rejects<'a>(
    words: &'a [u64],
    orders: &Orders<'_>,
    demands: &[[u64; 2]],
) -> Result<&'a [[u64; 2]], Violation> {
    let count = orders.consumed.len() + orders.left.len();
    let rejects = rows(words, REJECTS, count)?;
    let (mut next, mut demands) = (0, demands.iter().map(|[index, _]| *index).peekable());
    for [index, kind] in rejects {
        listed(*index, &mut next, orders, REJECTS)?;
        expect(
            REJECT_KINDS.contains(kind),
            REJECTS,
            *kind,
            *REJECT_KINDS.end(),
        )?;
        while demands.next_if(|demand| demand < index).is_some() {}
        expect(demands.peek() != Some(index), REJECTS, *index, *index)?;
    }
    Ok(rejects)
}

/// The kind-1 order at an index from `next` on, which then becomes the one after it.
fn listed<'a>(
    index: u64,
    next: &mut usize,
    orders: &Orders<'a>,
    section: usize,
) -> Result<Order<'a>, Violation> {
    let place = usize::try_from(index).unwrap_or(usize::MAX);
    expect(place >= *next, section, index, *next)?;
    let consumed = orders.consumed.len();
    let row = match place.checked_sub(consumed) {
        None => orders.consumed.get(place),
        Some(left) => orders.left.get(left),
    };
    let Some(row) = row.map(Order).filter(|order| order.trades()) else {
        return Err(Violation::new(
            0,
            section,
            index,
            consumed + orders.left.len(),
        ));
    };
    *next = place + 1;
    Ok(row)
}

fn claimed(words: &[u64]) -> Result<&[u64; 49], Violation> {
    <&[u64; 49]>::try_from(words).map_err(|_| Violation::new(0, PUBLIC_VALUES, words.len(), 49u64))
}

fn exact<'a>(sections: &Sections<'a>, section: usize, size: usize) -> Result<&'a [u64], Violation> {
    let words = sections.get(section)?;
    expect(words.len() == size, section, words.len(), size)?;
    Ok(words)
}

fn rows<const N: usize>(
    words: &[u64],
    section: usize,
    rows_max: usize,
) -> Result<&[[u64; N]], Violation> {
    let (rows, over) = words.as_chunks::<N>();
    expect(over.is_empty(), section, words.len(), N)?;
    expect(rows.len() <= rows_max, section, rows.len(), rows_max)?;
    Ok(rows)
}
