//! The settlement rows (`docs/spec.md` section 3): paid and received of each consumed order, hashed
//! as they are put together from the two sections that hold them.

use crate::sha256::{tag, Chunks, Digest, Hash, Sha256, Tag, CHUNK, CHUNK_ROWS};
use crate::view::View;

/// Tag of the settlement rows' table root.
pub const SETTLE: Tag = tag(b"cfx.settle.v1");
/// Rows beside the tag in the first block of a chunk; every other block has four.
const FIRST_ROWS: usize = 3;

/// Table root of the settlement rows.
pub fn settle_root<S: Sha256>(view: &View<'_>, hash: &mut Hash<S>) -> Digest {
    let mut chunks = Chunks::default();
    let amounts = view.amounts.chunks(CHUNK_ROWS);
    for (paid, amounts) in view.paid.chunks(CHUNK_ROWS).zip(amounts) {
        chunks.add(chunk(paid, amounts, hash), paid.len());
    }
    chunks.root(hash, &SETTLE)
}

fn chunk<S: Sha256>(paid: &[u64], amounts: &[[u64; 2]], hash: &mut Hash<S>) -> Digest {
    let first = paid.len().min(FIRST_ROWS);
    let (first_paid, paid) = paid.split_at(first);
    let (first_amounts, amounts) = amounts.split_at(first);
    hash.start(&CHUNK);
    rows(first_paid, first_amounts, hash);
    let (blocks, last_paid) = paid.as_chunks();
    let (amounts, last_amounts) = amounts.as_chunks();
    for ([p0, p1, p2, p3], [a0, a1, a2, a3]) in blocks.iter().zip(amounts) {
        hash.whole(&[*p0, a0[0], *p1, a1[0], *p2, a2[0], *p3, a3[0]]);
    }
    rows(last_paid, last_amounts, hash);
    hash.finish()
}

fn rows<S: Sha256>(paid: &[u64], amounts: &[[u64; 2]], hash: &mut Hash<S>) {
    for (paid, [received, _]) in paid.iter().zip(amounts) {
        hash.push(*paid);
        hash.push(*received);
    }
}
