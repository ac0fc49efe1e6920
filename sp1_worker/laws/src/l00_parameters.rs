//! L0, sections 1 to 3: parameters, registry and reference prices in range.

use crate::limits::{
    ASSETS_MAX, BAND_MAX, DECIMALS_MAX, FEE_PPM_MAX, RATE_SHIFT_MAX, RISK_INVERSE_MAX, RISK_MAX,
};
use crate::units::{log_ratio, rate_shift, PRICE_SHIFT};
use crate::view::{signed, wide, Params, Reference};
use crate::violation::{expect, Violation};

const PARAMS: usize = 1;
const REGISTRY: usize = 2;
const REFERENCE: usize = 3;
const PARAMS_VERSION: u64 = 1;
const ASSET_WORDS: usize = 8;
const ONE: u128 = 1 << PRICE_SHIFT;
/// A band unit is 1e-10 of a log price.
const BAND_LOG_DIVISOR: u128 = 10_000_000_000;
/// The eight-term logarithm is exact to 2e-15 at 3 %, 2^16 at scale 2^64, and its floors.
const BAND_SLACK: u128 = 1 << 17;
/// Bands are narrower than 1/32 of the price: eight terms of the logarithm are exact enough.
const BAND_SHIFT: u32 = 5;

/// Section 1, which says how many assets there are.
pub fn params(words: &[u64]) -> Result<Params<'_>, Violation> {
    let n = words.get(1).map_or(0, |n| *n as usize);
    expect((2..=ASSETS_MAX).contains(&n), PARAMS, n, ASSETS_MAX)?;
    let size = 2 + 9 * n + 5 * n * n;
    expect(words.len() == size, PARAMS, words.len(), size)?;
    expect(words[0] == PARAMS_VERSION, PARAMS, words[0], PARAMS_VERSION)?;
    let (rows, matrices) = words[2..].split_at(9 * n);
    let (fee_ppm, matrices) = matrices.split_at(n * n);
    let (risk, risk_inverse) = matrices.split_at(2 * n * n);
    let params = Params {
        words,
        rows: rows.as_chunks().0,
        fee_ppm,
        risk: risk.as_chunks().0,
        risk_inverse: risk_inverse.as_chunks().0,
    };
    (0..n).try_for_each(|asset| check_asset(&params, asset))?;
    check_fees(&params, n)?;
    check_matrix(params.risk, n, RISK_MAX, RISK_MAX)?;
    check_matrix(params.risk_inverse, n, 0, RISK_INVERSE_MAX)?;
    for row in params.risk.iter().step_by(n + 1) {
        expect(signed(row) >= 0, PARAMS, signed(row), 0u64)?;
    }
    Ok(params)
}

fn check_asset(params: &Params<'_>, asset: usize) -> Result<(), Violation> {
    let band = params.band(asset);
    expect(band <= BAND_MAX, PARAMS, band, BAND_MAX)?;
    let (low, high) = (params.q_min(asset), params.q_max(asset));
    expect(low <= high, PARAMS, low, high)?;
    for inventory in [params.target(asset), low, high] {
        expect(inventory != i128::MIN, PARAMS, inventory, i128::MIN + 1)?;
    }
    let depth = params.depth(asset);
    let deepest = if asset == 0 { 0 } else { i128::MAX };
    expect((0..=deepest).contains(&depth), PARAMS, depth, deepest)
}

fn check_fees(params: &Params<'_>, n: usize) -> Result<(), Violation> {
    for fee in params.fee_ppm {
        expect(*fee <= FEE_PPM_MAX, PARAMS, *fee, FEE_PPM_MAX)?;
    }
    for fee in params.fee_ppm.iter().step_by(n + 1) {
        expect(*fee == 0, PARAMS, *fee, 0u64)?;
    }
    Ok(())
}

/// Entries from `-below` to `above`, symmetric, the numeraire's row zero.
fn check_matrix(entries: &[[u64; 2]], n: usize, below: u128, above: u128) -> Result<(), Violation> {
    for (i, row) in entries.chunks_exact(n).enumerate() {
        for (j, entry) in row.iter().enumerate() {
            // Both bounds with one comparison: negative sums wrap to the top.
            let shifted = wide(entry).wrapping_add(below);
            expect(shifted <= below + above, PARAMS, signed(entry), above)?;
            let twin = &entries[j * n + i];
            expect(entry == twin, PARAMS, signed(entry), signed(twin))?;
        }
    }
    for entry in &entries[..n] {
        expect(*entry == [0, 0], PARAMS, signed(entry), 0u64)?;
    }
    Ok(())
}

/// Section 2: n assets with distinct ids and tokens.
pub fn check_registry(words: &[u64], n: usize) -> Result<(), Violation> {
    let size = n * ASSET_WORDS;
    expect(words.len() == size, REGISTRY, words.len(), size)?;
    let (rows, _) = words.as_chunks::<ASSET_WORDS>();
    for (place, row) in rows.iter().enumerate() {
        let [token @ .., decimals, id_low, id_high] = row;
        expect(token[4] >= 1, REGISTRY, token[4], 1u64)?;
        expect(*decimals <= DECIMALS_MAX, REGISTRY, *decimals, DECIMALS_MAX)?;
        expect(is_id(*id_low, *id_high), REGISTRY, *id_low, *id_high)?;
        for other in &rows[..place] {
            let same_id = other[6] == row[6] && other[7] == row[7];
            let same_token = (0..5).all(|word| other[word] == row[word]);
            expect(!same_id && !same_token, REGISTRY, place, n)?;
        }
    }
    Ok(())
}

/// 1 to 16 of letters, digits, `.`, `_`, `-`, then zeros.
fn is_id(low: u64, high: u64) -> bool {
    let bytes = (u128::from(high) << 64 | u128::from(low)).to_le_bytes();
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(16);
    let (text, padding) = bytes.split_at(length);
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    length > 0 && text.iter().all(known) && padding.iter().all(|byte| *byte == 0)
}

/// Section 3: prices inside bands that are no wider than the parameters say.
pub fn reference<'a>(
    words: &'a [u64],
    n: usize,
    params: &Params<'_>,
) -> Result<Reference<'a>, Violation> {
    let size = 2 + 6 * n;
    expect(words.len() == size, REFERENCE, words.len(), size)?;
    expect(words[1] == n as u64, REFERENCE, words[1], n)?;
    let reference = Reference {
        words,
        rows: words[2..].as_chunks().0,
    };
    for asset in 0..n {
        check_band(&reference, params, asset)?;
    }
    check_shifts(&reference, n)?;
    Ok(reference)
}

fn check_band(
    reference: &Reference<'_>,
    params: &Params<'_>,
    asset: usize,
) -> Result<(), Violation> {
    let [pbar, low, high] = [
        reference.pbar(asset),
        reference.plo(asset),
        reference.phi(asset),
    ];
    expect(0 < low && low <= pbar, REFERENCE, low, pbar)?;
    expect(pbar <= high, REFERENCE, high, pbar)?;
    if asset == 0 {
        expect(low == ONE, REFERENCE, low, ONE)?;
        return expect(high == ONE, REFERENCE, high, ONE);
    }
    let spread = (pbar - low).max(high - pbar);
    expect(
        spread <= pbar >> BAND_SHIFT,
        REFERENCE,
        spread,
        pbar >> BAND_SHIFT,
    )?;
    let band = u128::from(params.band(asset));
    let width = (band << PRICE_SHIFT) / BAND_LOG_DIVISOR + BAND_SLACK;
    for edge in [low, high] {
        let distance = log_ratio(edge, pbar).unwrap_or(i128::MIN);
        expect(distance.unsigned_abs() <= width, REFERENCE, distance, width)?;
    }
    Ok(())
}

/// Shifts of the extreme pair in range, then those of all pairs are.
fn check_shifts(reference: &Reference<'_>, n: usize) -> Result<(), Violation> {
    let prices = (0..n).map(|asset| reference.pbar(asset));
    let (low, high) = prices.fold((u128::MAX, 0), |(low, high), price| {
        (price.min(low), price.max(high))
    });
    for shift in [rate_shift(high, low), rate_shift(low, high)] {
        let inside = (0..=RATE_SHIFT_MAX).contains(&shift);
        expect(inside, REFERENCE, shift, RATE_SHIFT_MAX)?;
    }
    Ok(())
}
