//! SHA-256 over little-endian words in place; only the compression function is left to others.
//!
//! Everything that is hashed is a multiple of 8 bytes. Tags and trees: `docs/spec.md` section 1.

use alloc::vec::Vec;

use crate::witness_laws::Stage;

/// 32 bytes as four little-endian words, as they stand in a witness.
pub type Digest = [u64; 4];

/// 16 ASCII bytes as two little-endian words, the beginning of every hashed message.
pub type Tag = [u64; 2];

/// Words of a block of 64 bytes.
pub const BLOCK_WORDS: usize = 8;

/// Rows of a chunk of a table.
pub const CHUNK_ROWS: usize = 64;
/// Tag of a chunk.
pub const CHUNK: Tag = tag(b"cfx.chunk.v1");
const NODE: Tag = tag(b"cfx.node.v1");

/// Zero-padded tag of at most 16 ASCII bytes.
pub const fn tag(text: &[u8]) -> Tag {
    assert!(text.len() <= 16, "a tag has at most 16 bytes");
    let (mut words, mut at) = ([0; 2], 0);
    while at < text.len() {
        words[at / 8] |= (text[at] as u64) << (8 * (at % 8));
        at += 1;
    }
    words
}

/// The state of a SHA-256 and its current block, in software or as a precompile wants it.
pub trait Sha256 {
    /// Ready for [`Self::start`].
    fn new() -> Self;

    /// The state before the first block.
    fn start(&mut self);

    /// Bytes 8 `place` to 8 `place` + 7 of the block, as a little-endian word; `place` < 8.
    fn put(&mut self, place: usize, word: u64);

    /// Take in the block. All its words are put anew before the next call.
    fn compress(&mut self);

    /// The state as the 32 bytes of a digest.
    fn digest(&self) -> Digest;

    /// Told where a stage of a check ends; nobody listens but a guest whose parts are measured.
    #[inline(always)]
    fn reached(_stage: Stage) {}
}

/// A message that is hashed while it is written.
pub struct Hash<S> {
    engine: S,
    filled: usize,
    /// Whole blocks so far; no message has 2^64 of them.
    blocks: u64,
}

impl<S: Sha256> Hash<S> {
    /// Ready for [`Self::start`].
    pub fn new() -> Self {
        Self {
            engine: S::new(),
            filled: 0,
            blocks: 0,
        }
    }

    /// Begin a message without a tag.
    #[inline]
    pub fn start_bare(&mut self) {
        self.engine.start();
        self.filled = 0;
        self.blocks = 0;
    }

    /// Begin a message with its tag.
    #[inline]
    pub fn start(&mut self, tag: &Tag) {
        self.start_bare();
        self.engine.put(0, tag[0]);
        self.engine.put(1, tag[1]);
        self.filled = tag.len();
    }

    /// Write one word.
    #[inline(always)]
    pub fn push(&mut self, word: u64) {
        self.engine.put(self.filled, word);
        self.filled = self.filled.wrapping_add(1);
        if self.filled == BLOCK_WORDS {
            self.compress();
        }
    }

    /// Write a block's words where a block begins.
    #[inline(always)]
    pub fn whole(&mut self, block: &[u64; BLOCK_WORDS]) {
        debug_assert_eq!(self.filled, 0);
        for (place, word) in block.iter().enumerate() {
            self.engine.put(place, *word);
        }
        self.compress();
    }

    /// Write words.
    pub fn append(&mut self, words: &[u64]) {
        let (head, rest) = if self.filled == 0 {
            (&words[..0], words)
        } else {
            words.split_at(words.len().min(BLOCK_WORDS - self.filled))
        };
        head.iter().for_each(|word| self.push(*word));
        let (blocks, tail) = rest.as_chunks::<BLOCK_WORDS>();
        blocks.iter().for_each(|block| self.whole(block));
        tail.iter().for_each(|word| self.push(*word));
    }

    /// End the message.
    pub fn finish(&mut self) -> Digest {
        let bits = (self.blocks * BLOCK_WORDS as u64 + self.filled as u64) * 64;
        self.push(0x80);
        while self.filled != BLOCK_WORDS - 1 {
            self.push(0);
        }
        self.push(bits.swap_bytes());
        self.engine.digest()
    }

    #[inline(always)]
    fn compress(&mut self) {
        self.engine.compress();
        self.filled = 0;
        self.blocks = self.blocks.wrapping_add(1);
    }
}

impl<S: Sha256> Default for Hash<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// `H(tag, parts joined)`.
pub fn tagged<S: Sha256>(hash: &mut Hash<S>, tag: &Tag, parts: &[&[u64]]) -> Digest {
    hash.start(tag);
    parts.iter().for_each(|part| hash.append(part));
    hash.finish()
}

/// SHA-256 of words without a tag.
pub fn bare<S: Sha256>(hash: &mut Hash<S>, words: &[u64]) -> Digest {
    hash.start_bare();
    hash.append(words);
    hash.finish()
}

/// Root of a table that lies in memory: rows of `row_words` words in canonical order.
pub fn table_root<S: Sha256>(
    hash: &mut Hash<S>,
    tag: &Tag,
    rows: &[u64],
    row_words: usize,
) -> Digest {
    let mut chunks = Chunks::default();
    for chunk in rows.chunks(CHUNK_ROWS * row_words) {
        chunks.add(tagged(hash, &CHUNK, &[chunk]), chunk.len() / row_words);
    }
    chunks.root(hash, tag)
}

/// Root of a table whose chunks are hashed one after the other, by whoever makes them.
#[derive(Default)]
pub struct Chunks {
    leaves: Vec<Digest>,
    rows: usize,
}

impl Chunks {
    /// Add the hash of the chunk that follows; all but the last have [`CHUNK_ROWS`] rows.
    pub fn add(&mut self, leaf: Digest, rows: usize) {
        self.leaves.push(leaf);
        self.rows += rows;
    }

    /// The root.
    pub fn root<S: Sha256>(self, hash: &mut Hash<S>, tag: &Tag) -> Digest {
        seal(hash, tag, self.leaves, self.rows)
    }
}

fn seal<S: Sha256>(hash: &mut Hash<S>, tag: &Tag, leaves: Vec<Digest>, rows: usize) -> Digest {
    let root = merkle_root(hash, leaves);
    tagged(hash, tag, &[&root, &[rows as u64]])
}

/// An odd last node is promoted unchanged; the root of no leaf is zero.
fn merkle_root<S: Sha256>(hash: &mut Hash<S>, mut level: Vec<Digest>) -> Digest {
    while level.len() > 1 {
        let above = |pair: &[Digest]| match pair {
            [left, right] => tagged(hash, &NODE, &[left, right]),
            _ => pair[0],
        };
        level = level.chunks(2).map(above).collect();
    }
    level.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{bare, table_root, tag, tagged, Hash};
    use crate::software_sha256::Software;
    use std::format;
    use std::vec::Vec;

    /// Rows of three words, and the first eight bytes of the table root that Python gives.
    const ROOTS: [(u64, &str); 14] = [
        (0, "f1a59ff3efe2df8c"),
        (1, "5ae9f9772a76038e"),
        (3, "e8d0a951ff52ff60"),
        (4, "58833fc9f61064b5"),
        (63, "083df3be5cc85c67"),
        (64, "48249d799141f2e4"),
        (65, "ab65bd6a61f6bfce"),
        (127, "d756201f9ee79194"),
        (128, "c5bf3758b9865c6f"),
        (129, "98b37ee5fb7788b6"),
        (192, "202eb15910bfc64d"),
        (193, "607108620c8cf505"),
        (320, "fd3e7e27ac4abb04"),
        (449, "ddd33efb1187ec9e"),
    ];

    #[test]
    fn table_roots_are_those_of_python() {
        for (count, expected) in ROOTS {
            let row = |i: u64| [i, i * i, i.wrapping_mul(0x9E37_79B9_7F4A_7C15)];
            let rows: Vec<u64> = (0..count).flat_map(row).collect();
            let hash = &mut Hash::<Software>::new();
            let [first, ..] = table_root(hash, &tag(b"cfx.vaults.v1"), &rows, 3);
            assert_eq!(
                format!("{:016x}", first.swap_bytes()),
                expected,
                "{count} rows"
            );
        }
    }

    #[test]
    fn a_message_is_one_however_it_is_written() {
        let words: Vec<u64> = (0..41)
            .map(|i: u64| i.wrapping_mul(0x1234_5678_9ABC_DEF1))
            .collect();
        let (name, hash) = (tag(b"cfx.node.v1"), &mut Hash::<Software>::new());
        for length in 0..words.len() {
            let message = &words[..length];
            let whole: Vec<u64> = name.iter().chain(message).copied().collect();
            let due = bare(hash, &whole);
            for split in 0..=length {
                let (left, right) = message.split_at(split);
                assert_eq!(tagged(hash, &name, &[left, right]), due);
                hash.start(&name);
                left.iter().for_each(|word| hash.push(*word));
                hash.append(right);
                assert_eq!(hash.finish(), due);
            }
        }
    }
}
