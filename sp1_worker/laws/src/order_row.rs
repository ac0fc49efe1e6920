//! An order row: 80 bytes as ten little-endian words (`docs/spec.md` section 3).

/// An order that trades.
pub const KIND_ORDER: u64 = 1;
/// A cancel: a nonce used up for nothing.
pub const KIND_CANCEL: u64 = 2;
/// Receive asset of a cancel.
pub const NO_ASSET: usize = 65_535;

/// One order row, read in place.
#[derive(Clone, Copy)]
pub struct Order<'a>(pub &'a [u64; 10]);

impl Order<'_> {
    /// Owner, 32 bytes.
    #[inline(always)]
    pub fn owner(self) -> [u64; 4] {
        let [a, b, c, d, ..] = *self.0;
        [a, b, c, d]
    }

    /// Nonce of the signed message.
    #[inline(always)]
    pub fn nonce(self) -> u64 {
        self.0[4]
    }

    /// Budget, base units of the pay asset.
    #[inline(always)]
    pub fn budget(self) -> u64 {
        self.0[5]
    }

    /// Mantissa m of the limit.
    #[inline(always)]
    pub fn limit_m(self) -> u64 {
        self.0[6]
    }

    /// Least fill, base units of the pay asset.
    #[inline(always)]
    pub fn min_fill(self) -> u64 {
        self.0[7]
    }

    /// Last epoch, 0 for none named.
    #[inline(always)]
    pub fn valid_until(self) -> u64 {
        self.0[8]
    }

    /// Pay asset.
    #[inline(always)]
    pub fn pay(self) -> usize {
        (self.0[9] & 0xFFFF) as usize
    }

    /// Receive asset, [`NO_ASSET`] for a cancel.
    #[inline(always)]
    pub fn receive(self) -> usize {
        (self.0[9] >> 16 & 0xFFFF) as usize
    }

    /// Exponent e of the limit.
    #[inline(always)]
    pub fn limit_e(self) -> i64 {
        i64::from((self.0[9] >> 32) as u16 as i16)
    }

    /// [`KIND_ORDER`] or [`KIND_CANCEL`].
    #[inline(always)]
    pub fn kind(self) -> u64 {
        self.0[9] >> 48 & 0xFF
    }

    /// Whether the order has a limit of its own; else it is a market order or a cancel.
    #[inline(always)]
    pub fn limited(self) -> bool {
        self.0[9] >> 56 != 0
    }

    /// Whether it is an order that trades.
    #[inline(always)]
    pub fn trades(self) -> bool {
        self.kind() == KIND_ORDER
    }
}
