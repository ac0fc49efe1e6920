//! All laws on a witness, in their order.

use crate::clearing::{check_l01_to_l12, check_l17, check_l20, Certificate};
use crate::l00_decode::decode;
use crate::limits::ASSETS_MAX;
use crate::public_values::PublicValues;
use crate::rates::Rates;
use crate::sha256::Sha256;
use crate::skipped::Skipped;
use crate::state_after::{pool_flows, roots, Flow};
use crate::view::View;
use crate::violation::Violation;
use crate::walk::{walk, Roots};
use crate::{
    cancels, l13_canonical_order, l14_nonces, l15_expiry, l16_balances, l18_diffs,
    l19_public_values,
};

/// Where a check has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// L0 holds.
    Decoded,
    /// L1 to L12 and L17 hold.
    Cleared,
    /// L13 to L18 hold.
    Followed,
}

/// Check every law on a witness: the only entry of a verifier.
///
/// The witness (`docs/spec.md` section 4) comes as little-endian words, the last one filled up if
/// `byte_length` is no multiple of 8. The violation is the smallest (law, index) of
/// `docs/invariants.md` that does not hold.
pub fn check<S: Sha256>(words: &[u64], byte_length: usize) -> Result<PublicValues, Violation> {
    let (view, rates) = decode(words, byte_length)?;
    S::reached(Stage::Decoded);
    let certificate = check_clearing(&view, &rates, Skipped::NONE)?;
    S::reached(Stage::Cleared);
    let flows = certified_flows(&certificate);
    let lawful = walk::<S>(&view, &rates, certificate.fills)
        .filter(|_| l16_balances::check_pool(&view, &flows).is_ok())
        .filter(|_| check_l20(&certificate).is_ok());
    S::reached(Stage::Followed);
    match lawful {
        Some(roots) => seal::<S>(&view, &certificate, &roots, &flows),
        None => settle_plainly::<S>(&view, &rates, &certificate, Skipped::NONE),
    }
}

/// As [`check`], with every law in its plain form.
pub fn check_plainly<S: Sha256>(
    words: &[u64],
    byte_length: usize,
) -> Result<PublicValues, Violation> {
    judge_plainly::<S>(words, byte_length, Skipped::NONE)
}

/// As [`check`], without the laws whose bit is set in `mask`, bit 5 for L5.
#[cfg(feature = "canary")]
pub fn check_without<S: Sha256>(
    words: &[u64],
    byte_length: usize,
    mask: u32,
) -> Result<PublicValues, Violation> {
    judge_plainly::<S>(words, byte_length, Skipped::of(mask))
}

fn judge_plainly<S: Sha256>(
    words: &[u64],
    byte_length: usize,
    skipped: Skipped,
) -> Result<PublicValues, Violation> {
    let (view, rates) = decode(words, byte_length)?;
    let certificate = check_clearing(&view, &rates, skipped)?;
    settle_plainly::<S>(&view, &rates, &certificate, skipped)
}

/// L1 to L12, the clearing's orders and the cancels together.
fn check_clearing(
    view: &View<'_>,
    rates: &Rates,
    skipped: Skipped,
) -> Result<Certificate, Violation> {
    let of_cancels = cancels::check(view, skipped);
    let of_clearing = check_l01_to_l12(view, rates, skipped);
    match (of_cancels, of_clearing) {
        (Err(cancel), Err(order)) if cancel.rank() < order.rank() => Err(cancel),
        (Err(cancel), Ok(_)) => Err(cancel),
        (_, clearing) => clearing,
    }
}

type Law = fn(&View<'_>, &Rates) -> Result<(), Violation>;

/// L13 to L18, L20 and L19, each in its plain form.
fn settle_plainly<S: Sha256>(
    view: &View<'_>,
    rates: &Rates,
    certificate: &Certificate,
    skipped: Skipped,
) -> Result<PublicValues, Violation> {
    let laws: [(u8, Law); 4] = [
        (13, |view, _| l13_canonical_order::check(view)),
        (14, l14_nonces::check),
        (15, |view, _| l15_expiry::check(view)),
        (16, |view, _| l16_balances::check(view)),
    ];
    for (number, law) in laws {
        if !skipped.skips(number) {
            law(view, rates)?;
        }
    }
    if !skipped.skips(17) {
        check_l17(certificate)?;
    }
    if !skipped.skips(18) {
        l18_diffs::check(view)?;
    }
    if !skipped.skips(20) {
        check_l20(certificate)?;
    }
    seal::<S>(view, certificate, &roots::<S>(view), &pool_flows(view))
}

/// L19.
fn seal<S: Sha256>(
    view: &View<'_>,
    certificate: &Certificate,
    roots: &Roots,
    flows: &[Flow; ASSETS_MAX],
) -> Result<PublicValues, Violation> {
    let derived = l19_public_values::derive::<S>(view, certificate, roots, flows);
    l19_public_values::check(view, &derived)?;
    Ok(derived)
}

/// What the pool takes in and gives out, as the sums over the clearing say, given that L3 holds.
fn certified_flows(certificate: &Certificate) -> [Flow; ASSETS_MAX] {
    let mut flows = [Flow::default(); ASSETS_MAX];
    for (flow, moved) in flows.iter_mut().zip(&certificate.flows) {
        *flow = Flow {
            paid: moved.paid as i128,
            received: moved.gross as i128 - moved.fees as i128,
            fees: moved.fees as i128,
        };
    }
    flows
}
