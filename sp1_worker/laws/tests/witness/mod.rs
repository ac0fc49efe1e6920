//! A witness taken apart into its sections, and put together again for a verdict.

use std::fs;
use std::path::Path;

use convexfx_laws::software_sha256::Software;
use convexfx_laws::{check, check_plainly};

/// Bytes of magic and version.
pub const HEAD: usize = 16;

/// A vector of `tests/vectors/laws`.
pub fn vector(name: &str) -> Vec<u8> {
    let laws = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/laws");
    fs::read(laws.join(name)).expect("a vector")
}

/// An honest witness with cancels and left orders.
pub fn plain() -> Vec<u8> {
    vector("valid-plain.bin")
}

/// Bytes of the sections.
pub fn sections(data: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut at) = (Vec::new(), HEAD);
    while at < data.len() {
        let size = u64::from_le_bytes(data[at..at + 8].try_into().expect("eight bytes")) as usize;
        found.push(data[at + 8..at + 8 + size].to_vec());
        at += 8 + size;
    }
    found
}

/// Law and index of the violation, the same by the walk and by the plain forms.
pub fn rank(head: &[u8], sections: &[Vec<u8>]) -> Option<(u8, u64)> {
    let mut data = head.to_vec();
    for section in sections {
        data.extend((section.len() as u64).to_le_bytes());
        data.extend(section);
    }
    let length = data.len();
    data.resize(length.next_multiple_of(8), 0xFF);
    let (words, _) = data.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let [walked, plain] = [check::<Software>, check_plainly::<Software>].map(|check| {
        check(&words, length)
            .err()
            .map(|violation| violation.rank())
    });
    assert_eq!(walked, plain);
    walked
}
