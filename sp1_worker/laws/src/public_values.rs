//! Public values: what a proof binds, 392 bytes as 49 words (`docs/spec.md` section 5).

use crate::sha256::Digest;

/// Words of the public values.
pub const WORDS: usize = 49;
const VERSION: u64 = 1;
const DOMAIN_TAG: [u64; 2] = crate::sha256::tag(b"cfx.pv.v1");

/// Words of each field in the order of the bytes; a field's place is the index that L19 reports.
const FIELD_WORDS: [usize; 19] = [1, 2, 1, 1, 4, 4, 4, 4, 4, 4, 4, 1, 1, 4, 2, 2, 2, 2, 2];

/// What the laws commit to, encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicValues(pub [u64; WORDS]);

/// The fields that are not constants, in the order of the bytes.
pub struct Fields {
    /// Number of the domain's shard.
    pub shard: u64,
    /// Number of the epoch.
    pub epoch: u64,
    /// Params, reference and prices hash, batch, pre-state and post-state root, SDL hash.
    pub hashes: [Digest; 7],
    /// Orders of the epoch, consumed and left.
    pub n_orders: u64,
    /// Consumed orders with paid > 0.
    pub n_fills: u64,
    /// Network id.
    pub network: Digest,
    /// Numeraire base units, rounded up.
    pub gap: u128,
    /// Inventory risk, price tracking, fill incentive and their sum, numeraire base units.
    pub objective: [i128; 4],
}

impl PublicValues {
    /// The 49 words.
    pub fn encode(fields: &Fields) -> Self {
        let mut words = [0; WORDS];
        let mut rest = words.iter_mut();
        let mut put = |part: &[u64]| {
            for (value, word) in part.iter().zip(rest.by_ref()) {
                *word = *value;
            }
        };
        put(&[VERSION]);
        put(&DOMAIN_TAG);
        put(&[fields.shard, fields.epoch]);
        fields.hashes.iter().for_each(|hash| put(hash));
        put(&[fields.n_orders, fields.n_fills]);
        put(&fields.network);
        put(&pair(fields.gap));
        for term in fields.objective {
            put(&pair(term as u128));
        }
        Self(words)
    }

    /// The 392 bytes.
    pub fn to_bytes(&self) -> [u8; 8 * WORDS] {
        let mut bytes = [0; 8 * WORDS];
        for (part, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *part = word.to_le_bytes();
        }
        bytes
    }

    /// Place of the first field in which claimed words differ, and the first such word.
    pub fn first_difference(&self, claimed: &[u64; WORDS]) -> Option<(usize, usize)> {
        let word = (0..WORDS).find(|word| self.0[*word] != claimed[*word])?;
        let mut end = 0;
        let field = FIELD_WORDS.iter().position(|words| {
            end += words;
            word < end
        })?;
        Some((field, word))
    }
}

fn pair(value: u128) -> [u64; 2] {
    [value as u64, (value >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::{PublicValues, FIELD_WORDS, WORDS};

    #[test]
    fn every_word_belongs_to_its_field() {
        assert_eq!(FIELD_WORDS.iter().sum::<usize>(), WORDS);
        let due = PublicValues([7; WORDS]);
        assert_eq!(due.first_difference(&due.0), None);
        let mut word = 0;
        for (field, words) in FIELD_WORDS.into_iter().enumerate() {
            for _ in 0..words {
                let mut claimed = due.0;
                claimed[word..].fill(8);
                assert_eq!(due.first_difference(&claimed), Some((field, word)));
                word += 1;
            }
        }
    }
}
