//! L0, section 5: order rows are well formed (`docs/spec.md` section 3).

use crate::limits::{
    AMOUNT_MAX, ASSETS_MAX, LIMIT_EXPONENT_MAX, LIMIT_EXPONENT_MIN, MANTISSA_MAX, MANTISSA_MIN,
    NONCE_MAX, ORDERS_MAX,
};
use crate::order_row::{Order, KIND_CANCEL, KIND_ORDER, NO_ASSET};
use crate::violation::{expect, Violation};

const ORDERS: usize = 5;
const ROW_WORDS: usize = 10;
/// Kind and limit kind as they stand in the last two bytes of a row.
const MARKET_ORDER: u64 = KIND_ORDER;
const LIMIT_ORDER: u64 = KIND_ORDER | 1 << 8;
const CANCEL: u64 = KIND_CANCEL;
const ASSET_MASK: usize = ASSETS_MAX - 1;

/// Section 5.
pub struct Orders<'a> {
    /// Consumed rows.
    pub consumed: &'a [[u64; 10]],
    /// Left rows.
    pub left: &'a [[u64; 10]],
    /// Directed pairs that they trade: by pay asset, one bit for each receive asset.
    pub used: [u64; ASSETS_MAX],
    /// Cancels among the consumed rows.
    pub cancels: usize,
}

/// Read section 5 for n assets.
pub fn orders(words: &[u64], n: usize) -> Result<Orders<'_>, Violation> {
    let [consumed, left, rows @ ..] = words else {
        return Err(Violation::new(0, ORDERS, words.len(), 2u64));
    };
    let count = u128::from(*consumed) + u128::from(*left);
    expect(count <= ORDERS_MAX as u128, ORDERS, count, ORDERS_MAX)?;
    let size = count as usize * ROW_WORDS;
    expect(rows.len() == size, ORDERS, rows.len(), size)?;
    let (consumed, left) = rows.as_chunks().0.split_at(*consumed as usize);
    let mut used = [0; ASSETS_MAX];
    let cancels = scan(consumed, 0, n, &mut used)?;
    scan(left, consumed.len(), n, &mut used)?;
    Ok(Orders {
        consumed,
        left,
        used,
        cancels,
    })
}

/// Check rows and note their pairs; how many are cancels.
fn scan(
    rows: &[[u64; 10]],
    first: usize,
    n: usize,
    used: &mut [u64; ASSETS_MAX],
) -> Result<usize, Violation> {
    let mut cancels = 0;
    for (place, row) in rows.iter().enumerate() {
        let order = Order(row);
        let trades = order.kind() == KIND_ORDER;
        let holds = if trades {
            trade_in_range(order, n)
        } else {
            cancel_in_range(order, n)
        };
        expect(holds, ORDERS, first + place, 0u64)?;
        if trades {
            used[order.pay() & ASSET_MASK] |= 1 << (order.receive() & ASSET_MASK);
        } else {
            cancels += 1;
        }
    }
    Ok(cancels)
}

#[inline(always)]
fn trade_in_range(order: Order<'_>, n: usize) -> bool {
    let limit = match order.0[9] >> 48 {
        LIMIT_ORDER => {
            (MANTISSA_MIN..=MANTISSA_MAX).contains(&order.limit_m())
                && (LIMIT_EXPONENT_MIN..=LIMIT_EXPONENT_MAX).contains(&order.limit_e())
        }
        MARKET_ORDER => no_limit(order),
        _ => false,
    };
    limit
        && named(order, n)
        && order.receive() < n
        && order.receive() != order.pay()
        && order.budget().wrapping_sub(1) < AMOUNT_MAX
        && order.min_fill() <= order.budget()
}

fn cancel_in_range(order: Order<'_>, n: usize) -> bool {
    order.0[9] >> 48 == CANCEL
        && no_limit(order)
        && named(order, n)
        && order.receive() == NO_ASSET
        && order.budget() == 0
        && order.min_fill() == 0
}

#[inline(always)]
fn named(order: Order<'_>, n: usize) -> bool {
    order.nonce().wrapping_sub(1) < NONCE_MAX && order.pay() < n
}

#[inline(always)]
fn no_limit(order: Order<'_>) -> bool {
    order.limit_m() == 0 && order.limit_e() == 0
}
