//! A decoded witness as the laws see it: every size and range checked by L0, nothing copied.

/// Little-endian u128 of two words.
#[inline(always)]
pub fn wide(words: &[u64; 2]) -> u128 {
    u128::from(words[1]) << 64 | u128::from(words[0])
}

/// Two's complement i128 of two words.
#[inline(always)]
pub fn signed(words: &[u64; 2]) -> i128 {
    wide(words) as i128
}

/// Section 1: parameters; matrices are flat, row after row.
#[derive(Clone, Copy)]
pub struct Params<'a> {
    /// The section.
    pub words: &'a [u64],
    /// By asset: band (1e-6 bps), then target, q_min, q_max and depth W as i128.
    pub rows: &'a [[u64; 9]],
    /// n x n fees in ppm, row pays.
    pub fee_ppm: &'a [u64],
    /// n x n entries G, i128 at scale 2^112.
    pub risk: &'a [[u64; 2]],
    /// n x n entries H, i128 from 0.
    pub risk_inverse: &'a [[u64; 2]],
}

impl Params<'_> {
    /// Band of an asset in 1e-6 bps.
    pub fn band(&self, asset: usize) -> u64 {
        self.rows[asset][0]
    }

    /// Target inventory, base units.
    pub fn target(&self, asset: usize) -> i128 {
        self.wide_field(asset, 1)
    }

    /// Least inventory, base units.
    pub fn q_min(&self, asset: usize) -> i128 {
        self.wide_field(asset, 3)
    }

    /// Greatest inventory, base units.
    pub fn q_max(&self, asset: usize) -> i128 {
        self.wide_field(asset, 5)
    }

    /// Depth W, numeraire base units per unit of log price.
    pub fn depth(&self, asset: usize) -> i128 {
        self.wide_field(asset, 7)
    }

    fn wide_field(&self, asset: usize, at: usize) -> i128 {
        signed(&[self.rows[asset][at], self.rows[asset][at + 1]])
    }
}

/// Section 3: reference prices.
#[derive(Clone, Copy)]
pub struct Reference<'a> {
    /// The section.
    pub words: &'a [u64],
    /// By asset: Pbar, Plo, Phi as u128 at scale 2^64.
    pub rows: &'a [[u64; 6]],
}

impl Reference<'_> {
    /// Reference price Pbar.
    pub fn pbar(&self, asset: usize) -> u128 {
        self.price(asset, 0)
    }

    /// Lower edge Plo of the band.
    pub fn plo(&self, asset: usize) -> u128 {
        self.price(asset, 2)
    }

    /// Upper edge Phi of the band.
    pub fn phi(&self, asset: usize) -> u128 {
        self.price(asset, 4)
    }

    fn price(&self, asset: usize, at: usize) -> u128 {
        wide(&[self.rows[asset][at], self.rows[asset][at + 1]])
    }
}

/// The pool's vault before the epoch, first part of section 4.
#[derive(Clone, Copy)]
pub struct Pool<'a> {
    /// The pool block: owner, nonce, balances, fees accrued.
    pub words: &'a [u64],
    /// Owner, 32 bytes.
    pub owner: &'a [u64; 4],
    /// Nonce of its last settled message.
    pub nonce: u64,
    /// n balances, base units.
    pub balances: &'a [u64],
    /// n fees accrued, part of the balances.
    pub fees_accrued: &'a [u64],
}

impl Pool<'_> {
    /// Opening inventory q: balance less fees accrued.
    pub fn inventory(&self, asset: usize) -> u64 {
        self.balances[asset] - self.fees_accrued[asset]
    }
}

/// A vault row of section 4.
#[derive(Clone, Copy)]
pub struct Vault<'a> {
    /// Owner, 32 bytes.
    pub owner: &'a [u64; 4],
    /// Nonce of its last settled message.
    pub nonce: u64,
    /// n balances, base units.
    pub balances: &'a [u64],
}

/// Everything that a witness holds.
pub struct View<'a> {
    /// Number of assets, 2 to 64.
    pub n: usize,
    /// Network id, 32 bytes.
    pub network: &'a [u64; 4],
    /// Number of the domain's shard.
    pub shard: u64,
    /// Number of the epoch.
    pub epoch: u64,
    /// Section 1.
    pub params: Params<'a>,
    /// Section 2.
    pub registry: &'a [u64],
    /// Section 3.
    pub reference: Reference<'a>,
    /// Section 4, the pool.
    pub pool: Pool<'a>,
    /// Section 4, vault rows of 5 + n words: owner, nonce, balances.
    pub vaults: &'a [u64],
    /// Section 5: consumed order rows, to be read with [`crate::order_row::Order`].
    pub consumed: &'a [[u64; 10]],
    /// Section 5: left order rows.
    pub left: &'a [[u64; 10]],
    /// How many consumed rows are cancels.
    pub cancels: usize,
    /// Section 6: n prices P, u128 at scale 2^64.
    pub prices: &'a [[u64; 2]],
    /// Section 7: paid amounts of the consumed orders.
    pub paid: &'a [u64],
    /// Section 8: overflow O and inventory after q', i128 each.
    pub inventory: &'a [[u64; 4]],
    /// Section 9: n omegas, i64 at scale 2^40; None in an epoch without rationing.
    pub omega: Option<&'a [u64]>,
    /// Section 9: order index and demanded amount, strictly increasing.
    pub demands: &'a [[u64; 2]],
    /// Section 10: order index and kind, strictly increasing.
    pub rejects: &'a [[u64; 2]],
    /// Section 11: received and fee of the consumed orders.
    pub amounts: &'a [[u64; 2]],
    /// Section 12: diff rows.
    pub diffs: &'a [[u64; 4]],
    /// Section 13: 49 words, the public values as claimed.
    pub claimed: &'a [u64; 49],
}

impl<'a> View<'a> {
    /// K: number of orders.
    pub fn orders_count(&self) -> usize {
        self.consumed.len() + self.left.len()
    }

    /// Order row at an order index: consumed first.
    pub fn order(&self, index: usize) -> &'a [u64; 10] {
        match index.checked_sub(self.consumed.len()) {
            None => &self.consumed[index],
            Some(place) => &self.left[place],
        }
    }

    /// Words of a vault row.
    pub fn vault_words(&self) -> usize {
        5 + self.n
    }

    /// V: number of vault rows.
    pub fn vaults_count(&self) -> usize {
        self.vaults.len() / self.vault_words()
    }

    /// The vault rows.
    pub fn vault_rows(&self) -> impl Iterator<Item = Vault<'a>> {
        let rows = self.vaults.chunks_exact(self.vault_words());
        rows.filter_map(|row| {
            let (owner, rest) = row.split_first_chunk()?;
            let (nonce, balances) = rest.split_first()?;
            Some(Vault {
                owner,
                nonce: *nonce,
                balances,
            })
        })
    }

    /// Price P of an asset.
    pub fn price(&self, asset: usize) -> u128 {
        wide(&self.prices[asset])
    }

    /// Overflow O of an asset, numeraire base units.
    pub fn overflow(&self, asset: usize) -> i128 {
        let [low, high, ..] = self.inventory[asset];
        signed(&[low, high])
    }

    /// Claimed inventory after the epoch q', base units.
    pub fn inventory_after(&self, asset: usize) -> i128 {
        let [.., low, high] = self.inventory[asset];
        signed(&[low, high])
    }
}
