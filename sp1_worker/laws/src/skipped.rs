//! Laws that a test build leaves out, to show that each of them is needed.

/// Which laws are not looked at: none, unless the crate is built with the feature `canary`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Skipped {
    #[cfg(feature = "canary")]
    mask: u32,
}

impl Skipped {
    /// Every law is looked at.
    pub const NONE: Self = Self {
        #[cfg(feature = "canary")]
        mask: 0,
    };

    /// All laws whose bit is set in `mask` (bit 5 for L5) are left out.
    #[cfg(feature = "canary")]
    pub const fn of(mask: u32) -> Self {
        Self { mask }
    }

    /// Whether a law is left out.
    #[inline(always)]
    pub const fn skips(self, law: u8) -> bool {
        #[cfg(feature = "canary")]
        return self.mask >> law & 1 == 1;
        #[cfg(not(feature = "canary"))]
        return {
            let _ = law;
            false
        };
    }
}
