//! SHA-256 in software, for checkers that run natively (FIPS 180-4).

use crate::sha256::{Digest, Sha256, BLOCK_WORDS};

const ROUNDS: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];
const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// The compression function, one round after the other.
pub struct Software {
    state: [u32; 8],
    block: [u64; BLOCK_WORDS],
}

impl Sha256 for Software {
    fn new() -> Self {
        Self {
            state: INITIAL,
            block: [0; BLOCK_WORDS],
        }
    }

    fn start(&mut self) {
        self.state = INITIAL;
    }

    #[inline(always)]
    fn put(&mut self, place: usize, word: u64) {
        self.block[place] = word;
    }

    fn compress(&mut self) {
        let schedule = schedule(&self.block);
        let mut working = self.state;
        for (constant, word) in ROUNDS.iter().zip(schedule) {
            working = round(working, constant.wrapping_add(word));
        }
        for (state, worked) in self.state.iter_mut().zip(working) {
            *state = state.wrapping_add(worked);
        }
    }

    fn digest(&self) -> Digest {
        let mut digest = [0; 4];
        for (word, pair) in digest.iter_mut().zip(self.state.as_chunks::<2>().0) {
            let [first, second] = pair.map(|half| u64::from(half.swap_bytes()));
            *word = first | second << 32;
        }
        digest
    }
}

fn schedule(block: &[u64; BLOCK_WORDS]) -> [u32; 64] {
    let mut words = [0u32; 64];
    for (pair, word) in words.as_chunks_mut::<2>().0.iter_mut().zip(block) {
        *pair = [*word as u32, (word >> 32) as u32].map(u32::swap_bytes);
    }
    for at in 16..64 {
        let (two, fifteen) = (words[at - 2], words[at - 15]);
        let s0 = fifteen.rotate_right(7) ^ fifteen.rotate_right(18) ^ (fifteen >> 3);
        let s1 = two.rotate_right(17) ^ two.rotate_right(19) ^ (two >> 10);
        words[at] = words[at - 16]
            .wrapping_add(s0)
            .wrapping_add(words[at - 7])
            .wrapping_add(s1);
    }
    words
}

#[inline(always)]
fn round([a, b, c, d, e, f, g, h]: [u32; 8], input: u32) -> [u32; 8] {
    let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let choice = (e & f) ^ (!e & g);
    let first = h.wrapping_add(s1).wrapping_add(choice).wrapping_add(input);
    let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let majority = (a & b) ^ (a & c) ^ (b & c);
    let second = s0.wrapping_add(majority);
    [
        first.wrapping_add(second),
        a,
        b,
        c,
        d.wrapping_add(first),
        e,
        f,
        g,
    ]
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::Software;
    use crate::sha256::{bare, Hash};
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    /// Digest in hexadecimal of a text of a multiple of 8 bytes.
    fn hex(text: &[u8]) -> String {
        let (words, over) = text.as_chunks::<8>();
        assert!(over.is_empty());
        let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let digest = bare(&mut Hash::<Software>::new(), &words);
        let bytes = digest.iter().flat_map(|word| word.to_le_bytes());
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn fips_vectors() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(b""), empty);
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        let digest = "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
        assert_eq!(hex(two_blocks), digest);
        let million = std::vec![b'a'; 1_000_000];
        let digest = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
        assert_eq!(hex(&million), digest);
    }
}
