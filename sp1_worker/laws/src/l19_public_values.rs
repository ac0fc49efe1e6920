//! L19: the claimed public values are those that follow from the witness.
//!
//! Index: place of the first field that differs, in the order of the bytes.

use crate::clearing::Certificate;
use crate::limits::ASSETS_MAX;
use crate::public_values::{Fields, PublicValues};
use crate::sha256::{table_root, tag, tagged, Hash, Sha256, Tag};
use crate::state_after::Flow;
use crate::view::View;
use crate::violation::Violation;
use crate::walk::{Roots, VAULTS};

const LAW: u8 = 19;
const ORDERS: Tag = tag(b"cfx.orders.v1");
const LEFT: Tag = tag(b"cfx.left.v1");
const BATCH: Tag = tag(b"cfx.batch.v1");
const STATE: Tag = tag(b"cfx.state.v1");
const SDL: Tag = tag(b"cfx.sdl.v1");
const PARAMS: Tag = tag(b"cfx.params.v1");
const REFERENCE: Tag = tag(b"cfx.ref.v1");
const PRICES: Tag = tag(b"cfx.prices.v1");
const ORDER_WORDS: usize = 10;

/// Public values of a witness whose other laws hold.
pub fn derive<S: Sha256>(
    view: &View<'_>,
    certificate: &Certificate,
    roots: &Roots,
    flows: &[Flow; ASSETS_MAX],
) -> PublicValues {
    let (hash, pool) = (&mut Hash::<S>::new(), &view.pool);
    let orders = table_root(hash, &ORDERS, view.consumed.as_flattened(), ORDER_WORDS);
    let left = table_root(hash, &LEFT, view.left.as_flattened(), ORDER_WORDS);
    let vaults = table_root(hash, &VAULTS, view.vaults, view.vault_words());
    let (mut block, mut words) = ([0; 5 + 2 * ASSETS_MAX], 5 + view.n);
    block[..4].copy_from_slice(pool.owner);
    block[4] = pool.nonce + roots.fills;
    for (asset, flow) in flows[..view.n].iter().enumerate() {
        block[5 + asset] = flow.after(pool.balances[asset]) as u64;
        block[words] = (i128::from(pool.fees_accrued[asset]) + flow.fees) as u64;
        words += 1;
    }
    let first_payout = [view.shard, pool.nonce + 1];
    let sdl: [&[u64]; 5] = [
        view.network,
        pool.owner,
        &first_payout,
        &orders,
        &roots.settle,
    ];
    let hashes = [
        tagged(hash, &PARAMS, &[view.params.words, view.registry]),
        tagged(hash, &REFERENCE, &[view.reference.words]),
        tagged(hash, &PRICES, &[view.prices.as_flattened()]),
        tagged(hash, &BATCH, &[&orders, &left]),
        tagged(hash, &STATE, &[pool.words, &vaults]),
        tagged(hash, &STATE, &[&block[..words], &roots.vaults_after]),
        tagged(hash, &SDL, &sdl),
    ];
    PublicValues::encode(&Fields {
        shard: view.shard,
        epoch: view.epoch,
        hashes,
        n_orders: view.orders_count() as u64,
        n_fills: roots.fills,
        network: *view.network,
        gap: certificate.gap,
        objective: [
            certificate.inventory_risk,
            certificate.price_tracking,
            certificate.fill_incentive,
            certificate.total,
        ],
    })
}

/// Compare the claimed words with the derived ones.
pub fn check(view: &View<'_>, derived: &PublicValues) -> Result<(), Violation> {
    match derived.first_difference(view.claimed) {
        None => Ok(()),
        Some((field, word)) => Err(Violation::new(
            LAW,
            field,
            view.claimed[word],
            derived.0[word],
        )),
    }
}
