//! Every bound of the system; `convexfx_core/limits.py` gives the reasons.

/// Assets of a registry.
pub const ASSETS_MAX: usize = 64;
/// Orders of an epoch, consumed and left.
pub const ORDERS_MAX: usize = 1 << 24;
/// Budgets and paid amounts, base units.
pub const AMOUNT_MAX: u64 = (1 << 62) - 1;
/// Balances, base units.
pub const BALANCE_MAX: u64 = (1 << 63) - 1;
/// Nonces.
pub const NONCE_MAX: u64 = (1 << 63) - 1;
/// Values in numeraire base units.
pub const VALUE_MAX: u128 = (1 << 80) - 1;
/// Entries of G.
pub const RISK_MAX: u128 = (1 << 80) - 1;
/// Entries of H.
pub const RISK_INVERSE_MAX: u128 = (1 << 112) - 1;
/// Bands in 1e-6 bps.
pub const BAND_MAX: u64 = 300 * 1_000_000;
/// Fees in ppm.
pub const FEE_PPM_MAX: u64 = 100_000;
/// Decimals of an asset.
pub const DECIMALS_MAX: u64 = 9;
/// Shifts S of a rate.
pub const RATE_SHIFT_MAX: i32 = 126;
/// Mantissas of limits.
pub const MANTISSA_MIN: u64 = 1 << 62;
/// Mantissas of limits.
pub const MANTISSA_MAX: u64 = (1 << 63) - 1;
/// Exponents of limits.
pub const LIMIT_EXPONENT_MIN: i64 = -192;
/// Exponents of limits.
pub const LIMIT_EXPONENT_MAX: i64 = 255;
