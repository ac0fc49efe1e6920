//! The local laws L0 to L19 on witness v1: the Rust twin of `convexfx_core.laws`.
//!
//! Integers only, no dependencies, no copies of the witness. `docs/spec.md` gives the bytes,
//! `docs/invariants.md` the laws.
#![no_std]

extern crate alloc;

pub mod order_row;
pub mod sha256;
pub mod skipped;
pub mod view;
pub mod violation;

pub use sha256::Sha256;
pub use violation::{Number, Violation};
