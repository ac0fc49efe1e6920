//! Forgeries that a walk over the orders might pass by, and which of two violations is told.

mod witness;

use witness::{plain, rank, sections, vector, HEAD};

const PARAMS: usize = 1;
const VAULTS: usize = 4;
const ORDERS: usize = 5;
const FILLS: usize = 7;
const RATION: usize = 9;
const REJECTS: usize = 10;
const AMOUNTS: usize = 11;
const DIFFS: usize = 12;
const ROW: usize = 80;
const KIND: usize = 78;
const CANCEL: u8 = 2;
const OWNER: usize = 32;

/// Order indices of the first consumed cancel and of the first filled order.
fn places(sections: &[Vec<u8>]) -> (usize, usize) {
    let mut rows = sections[ORDERS][HEAD..].chunks_exact(ROW);
    let cancel = rows.position(|row| row[KIND] == CANCEL).expect("a cancel");
    let mut paid = sections[FILLS].chunks_exact(8);
    let filled = paid.position(|paid| paid != [0; 8]).expect("a fill");
    (cancel, filled)
}

fn put(section: &mut [u8], word: usize, value: u64) {
    section[8 * word..8 * word + 8].copy_from_slice(&value.to_le_bytes());
}

#[test]
fn payouts_that_nobody_made_are_seen() {
    let data = plain();
    let (head, whole) = (&data[..HEAD], sections(&data));
    let rows = whole[DIFFS].len() / 32;
    for more in 1..=4 {
        let mut forged = whole.clone();
        let tail = forged[DIFFS][whole[DIFFS].len() - 32 * more..].to_vec();
        forged[DIFFS].extend(tail);
        assert_eq!(rank(head, &forged), Some((18, rows as u64)));
        let mut short = whole.clone();
        short[DIFFS].truncate(32 * (rows - more));
        assert_eq!(rank(head, &short), Some((18, (rows - more) as u64)));
    }
}

#[test]
fn a_rejected_order_has_no_demand_wherever_it_stands_in_the_list() {
    let data = vector("valid-rationed.bin");
    let (head, mut whole) = (&data[..HEAD], sections(&data));
    let assets = word(&whole[PARAMS], 1) as usize;
    let rows = whole[ORDERS][HEAD..].chunks_exact(ROW).zip(0u64..);
    // One unit is the usual demand of no order with a budget of more.
    let unusual = rows.filter(|(row, _)| row[KIND] != CANCEL && word(row, 5) > 1);
    let listed: Vec<u64> = unusual.map(|(_, index)| index).collect();
    assert!(listed.len() > 2);
    whole[RATION].truncate(8 * assets);
    let demands = listed
        .iter()
        .flat_map(|index| [*index, 1])
        .flat_map(u64::to_le_bytes);
    whole[RATION].extend(demands);
    for index in listed {
        whole[REJECTS] = [index, 1].map(u64::to_le_bytes).concat();
        assert_eq!(rank(head, &whole), Some((0, REJECTS as u64)));
    }
}

#[test]
fn of_a_cancel_and_an_order_the_smaller_law_and_index_is_told() {
    let data = plain();
    let (head, whole) = (&data[..HEAD], sections(&data));
    let (cancel, filled) = places(&whole);
    let mut forged = whole.clone();
    put(&mut forged[FILLS], cancel, 1);
    assert_eq!(rank(head, &forged), Some((1, cancel as u64)));
    put(&mut forged[FILLS], filled, u64::MAX);
    assert_eq!(rank(head, &forged), Some((1, cancel.min(filled) as u64)));
    for column in 0..2 {
        let mut forged = whole.clone();
        put(&mut forged[AMOUNTS], 2 * cancel + column, 1);
        assert_eq!(rank(head, &forged), Some((3, cancel as u64)));
        put(&mut forged[AMOUNTS], 2 * filled, 0);
        assert_eq!(rank(head, &forged), Some((3, cancel.min(filled) as u64)));
        put(&mut forged[FILLS], filled, u64::MAX);
        assert_eq!(rank(head, &forged), Some((1, filled as u64)));
    }
}

fn word(bytes: &[u8], place: usize) -> u64 {
    u64::from_le_bytes(bytes[8 * place..8 * place + 8].try_into().expect("a word"))
}

/// An order row with what it paid, and what it received with the fee.
type Settled = [Vec<u8>; 3];

/// The consumed orders, in runs of one owner.
fn runs(sections: &[Vec<u8>]) -> Vec<Vec<Settled>> {
    let count = word(&sections[ORDERS], 0) as usize;
    let rows = sections[ORDERS][HEAD..].chunks_exact(ROW).take(count);
    let paid = sections[FILLS].chunks_exact(8);
    let settled = rows.zip(paid).zip(sections[AMOUNTS].chunks_exact(16));
    let settled: Vec<Settled> = settled
        .map(|((row, paid), amounts)| [row.to_vec(), paid.to_vec(), amounts.to_vec()])
        .collect();
    let same = |left: &Settled, right: &Settled| left[0][..OWNER] == right[0][..OWNER];
    settled.chunk_by(same).map(<[Settled]>::to_vec).collect()
}

/// Diff rows that follow from the runs, of a pool with `nonce`.
fn diffs(runs: &[Vec<Settled>], nonce: u64) -> Vec<u8> {
    let (mut allowances, mut payouts) = (Vec::new(), Vec::new());
    let (mut position, mut filled) = (0, 0);
    let count: usize = runs.iter().map(Vec::len).sum();
    for (user, run) in (1..).zip(runs) {
        for [row, paid, amounts] in run {
            let (paid, received, last) = (word(paid, 0), word(amounts, 0), word(row, 9));
            let (pay, receive) = (last & 0xFFFF | 1 << 32, last >> 16 & 0xFFFF | 2 << 32);
            let own = word(row, 4);
            allowances.extend([position | user << 32, pay, paid.wrapping_neg(), own]);
            if paid > 0 {
                allowances.extend([position, pay, paid, own]);
                let (place, next) = (count as u64 + filled, nonce + 1 + filled);
                payouts.extend([place, receive, received.wrapping_neg(), next]);
                payouts.extend([place | user << 32, receive, received, next]);
                filled += 1;
            }
            position += 1;
        }
    }
    allowances.extend(payouts);
    allowances.into_iter().flat_map(u64::to_le_bytes).collect()
}

#[test]
fn two_vaults_in_each_others_place_are_seen_though_all_follows_from_it() {
    let data = plain();
    let (head, mut forged) = (&data[..HEAD], sections(&data));
    let assets = word(&forged[PARAMS], 1) as usize;
    let (pool, width, nonce) = (40 + 16 * assets, 40 + 8 * assets, word(&forged[VAULTS], 4));
    let mut runs = runs(&forged);
    assert_eq!(diffs(&runs, nonce), forged[DIFFS]);
    runs.swap(0, 1);
    let (first, second) = forged[VAULTS][pool..pool + 2 * width].split_at_mut(width);
    first.swap_with_slice(second);
    let column = |place: usize| {
        runs.iter()
            .flatten()
            .flat_map(move |settled| settled[place].clone())
    };
    let (rows, paid, amounts) = (column(0), column(1), column(2));
    let (rows, paid, amounts): (Vec<u8>, Vec<u8>, Vec<u8>) =
        (rows.collect(), paid.collect(), amounts.collect());
    forged[ORDERS][HEAD..HEAD + rows.len()].copy_from_slice(&rows);
    (forged[FILLS], forged[AMOUNTS]) = (paid, amounts);
    forged[DIFFS] = diffs(&runs, nonce);
    assert_eq!(rank(head, &forged), Some((13, runs[0].len() as u64)));
}
