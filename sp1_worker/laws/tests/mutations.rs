//! Witnesses with a few words changed get one verdict by the walk and by the plain forms, and no
//! sequence of words makes either panic. `CONVEXFX_FUZZ` sets how many.

use std::fs;
use std::path::Path;

use convexfx_laws::software_sha256::Software;
use convexfx_laws::{check, check_plainly};

const RUNS: usize = 6_000;
const SEED: u64 = 0x5EED_0F1A_3577;
const EDGES: [u64; 8] = [0, 1, 2, 64, 1 << 62, (1 << 63) - 1, 1 << 63, u64::MAX];

/// xorshift64*: what it gives is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn honest() -> Vec<Vec<u64>> {
    let laws = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/laws");
    let index = fs::read_to_string(laws.join("index.tsv")).expect("the index");
    let lines = index.lines().filter_map(|line| line.split_once('\t'));
    let lawful = lines.filter(|(_, rest)| rest.starts_with("ok\t"));
    let read = lawful.map(|(file, _)| {
        let data = fs::read(laws.join(file)).expect("a vector");
        let (words, _) = data.as_chunks::<8>();
        words.iter().map(|word| u64::from_le_bytes(*word)).collect()
    });
    // Small ones only: a run is then a few microseconds.
    read.filter(|words: &Vec<u64>| words.len() < 2_000)
        .collect()
}

/// Places of the first words of the sections.
fn starts(words: &[u64]) -> Vec<usize> {
    let (mut found, mut at) = (Vec::new(), 3);
    while at <= words.len() {
        found.push(at);
        at += words[at - 1] as usize / 8 + 1;
    }
    found
}

fn mutate(words: &mut [u64], random: &mut Random) {
    let starts = starts(words);
    for _ in 0..=random.below(2) {
        let section = random.below(starts.len());
        let end = starts.get(section + 1).map_or(words.len(), |next| next - 1);
        let size = end - starts[section];
        if size == 0 {
            continue;
        }
        let at = starts[section] + random.below(size);
        words[at] = match random.below(4) {
            0 => EDGES[random.below(EDGES.len())],
            1 => words[at] ^ 1 << random.below(64),
            2 => words[starts[section] + random.below(size)],
            _ => words[at].wrapping_add(random.next() % 5).wrapping_sub(2),
        };
    }
}

#[test]
fn the_walk_and_the_plain_forms_give_one_verdict() {
    let runs = std::env::var("CONVEXFX_FUZZ")
        .ok()
        .and_then(|runs| runs.parse().ok());
    let (honest, mut random, mut reached) = (honest(), Random(SEED), [0; 20]);
    for run in 0..runs.unwrap_or(RUNS) {
        let mut words = honest[run % honest.len()].clone();
        mutate(&mut words, &mut random);
        let walked = check::<Software>(&words, 8 * words.len());
        assert_eq!(
            walked,
            check_plainly::<Software>(&words, 8 * words.len()),
            "run {run}"
        );
        if let Err(violation) = walked {
            reached[usize::from(violation.law)] += 1;
        }
    }
    for law in [0, 1, 3, 13, 14, 15, 16, 18, 19] {
        assert!(reached[law] > 0, "L{law}: {reached:?}");
    }
}

#[test]
fn random_words_are_refused() {
    let mut random = Random(SEED);
    for length in 0..200 {
        let mut words: Vec<u64> = (0..length).map(|_| random.next()).collect();
        for (word, fixed) in words
            .iter_mut()
            .zip([u64::from_le_bytes(*b"CFXWIT\0\0"), 1, 48])
        {
            *word = fixed;
        }
        let found = check::<Software>(&words, 8 * length).expect_err("no witness");
        assert_eq!(found.law, 0);
    }
}
