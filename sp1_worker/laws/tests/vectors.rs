//! Every witness of `tests/vectors/laws` gets the verdict that its index gives, on both ways.

use std::fs;
use std::path::{Path, PathBuf};

use convexfx_laws::public_values::PublicValues;
use convexfx_laws::software_sha256::Software;
use convexfx_laws::{check, check_plainly, Violation};

type Check = fn(&[u64], usize) -> Result<PublicValues, Violation>;
const WAYS: [Check; 2] = [check::<Software>, check_plainly::<Software>];
/// A directory that lost its files is no success.
const VECTORS_MIN: usize = 190;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/laws")
}

fn words(data: &[u8]) -> Vec<u64> {
    let padded = data.len().next_multiple_of(8);
    let mut bytes = data.to_vec();
    bytes.resize(padded, 0xA5);
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

/// Law, index and public values as a line of the index has them.
fn columns(verdict: &Result<PublicValues, Violation>) -> [String; 3] {
    match verdict {
        Ok(values) => {
            let bytes = values.to_bytes();
            let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            ["ok".into(), "-".into(), hex]
        }
        Err(violation) => [
            violation.law.to_string(),
            violation.index.to_string(),
            "-".into(),
        ],
    }
}

#[test]
fn every_vector_gets_its_verdict() {
    let index = fs::read_to_string(directory().join("index.tsv")).expect("the index");
    let mut differing = Vec::new();
    for line in index.lines() {
        let (file, expected) = line.split_once('\t').expect("four columns");
        let data = fs::read(directory().join(file)).expect("a vector of the index");
        for (way, check) in WAYS.iter().enumerate() {
            let found = columns(&check(&words(&data), data.len())).join("\t");
            if found != expected {
                differing.push(format!("{file}, way {way}: {found:.60} for {expected:.60}"));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(index.lines().count() >= VECTORS_MIN);
}

#[test]
fn a_witness_cut_short_anywhere_is_refused_by_its_frame() {
    let data = fs::read(directory().join("valid-plain.bin")).expect("a vector");
    for length in 0..data.len() {
        for check in WAYS {
            let found = check(&words(&data[..length]), length).expect_err("too short");
            assert_eq!(found.rank(), (0, 14), "{length} bytes");
        }
    }
}

#[test]
fn a_length_beyond_the_words_is_refused() {
    let data = fs::read(directory().join("valid-plain.bin")).expect("a vector");
    for length in [data.len() + 1, usize::MAX] {
        let found = check::<Software>(&words(&data), length).expect_err("too long");
        assert_eq!(found.rank(), (0, 14));
    }
}
