//! The local laws L0 to L20 on witness v1: the Rust twin of `convexfx_core.laws`.
//!
//! Integers only, no dependencies, no copies of the witness. `docs/spec.md` gives the bytes,
//! `docs/invariants.md` the laws; a module that is one law bears its number.
//!
//! Two forms, one verdict: [`check`] finds in one pass over the orders and one walk over the vaults
//! that the laws hold, which is what a proof costs; a law that does not is asked again in its plain
//! form, for its index. [`check_plainly`] has no walk.
#![no_std]

extern crate alloc;

mod cancels;
mod clearing;
mod l00_decode;
mod l00_orders;
mod l00_parameters;
mod l13_canonical_order;
mod l14_nonces;
mod l15_expiry;
mod l16_balances;
mod l18_diffs;
mod l19_public_values;
mod limits;
mod order_row;
mod owners;
pub mod public_values;
mod rates;
mod settlement;
pub mod sha256;
mod skipped;
pub mod software_sha256;
mod state_after;
mod units;
mod view;
mod violation;
mod walk;
mod wide;
mod witness_laws;
mod words;

pub use sha256::Sha256;
pub use violation::{Number, Violation};
#[cfg(feature = "canary")]
pub use witness_laws::check_without;
pub use witness_laws::{check, check_plainly, Stage};
