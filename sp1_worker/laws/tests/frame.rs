//! Sections whose lengths are no whole words: judged in their place, unless an earlier one fails.

use std::fs;
use std::path::Path;

use convexfx_laws::software_sha256::Software;
use convexfx_laws::{check, check_plainly};

const HEAD: usize = 16;
const SECTIONS: usize = 14;

fn plain() -> Vec<u8> {
    let laws = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/laws");
    fs::read(laws.join("valid-plain.bin")).expect("a vector")
}

fn sections(data: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut at) = (Vec::new(), HEAD);
    while at < data.len() {
        let size = u64::from_le_bytes(data[at..at + 8].try_into().expect("eight bytes")) as usize;
        found.push(data[at + 8..at + 8 + size].to_vec());
        at += 8 + size;
    }
    found
}

fn rank(head: &[u8], sections: &[Vec<u8>]) -> Option<(u8, u64)> {
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

#[test]
fn a_section_of_no_whole_words_is_the_violation() {
    let data = plain();
    let (head, whole) = (&data[..HEAD], sections(&data));
    assert_eq!(whole.len(), SECTIONS);
    assert_eq!(rank(head, &whole), None);
    for section in 0..SECTIONS {
        for more in 1..8 {
            let mut longer = whole.clone();
            let size = longer[section].len() + more;
            longer[section].resize(size, 0);
            assert_eq!(rank(head, &longer), Some((0, section as u64)));
            let mut shorter = whole.clone();
            let size = shorter[section].len().saturating_sub(more);
            shorter[section].truncate(size);
            let due = (!whole[section].is_empty()).then_some((0, section as u64));
            assert_eq!(rank(head, &shorter), due);
        }
    }
}

#[test]
fn of_two_such_sections_the_first_is_the_violation_and_none_hides_an_earlier_one() {
    let data = plain();
    let (head, mut broken) = (&data[..HEAD], sections(&data));
    broken[9].push(0);
    broken[4].push(0);
    assert_eq!(rank(head, &broken), Some((0, 4)));
    broken[0][32..40].fill(0);
    assert_eq!(rank(head, &broken), Some((0, 0)));
    assert_eq!(rank(&[0; HEAD], &broken), Some((0, 14)));
    broken.pop();
    assert_eq!(rank(head, &broken), Some((0, 14)));
}
