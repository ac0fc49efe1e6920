//! SHA-256 by SP1's precompiles.
//!
//! In SP1 v6 every 32-bit word of a block and of the state sits in a 64-bit cell of its own. A block
//! is written into the first 16 of 64 cells, in place; the rest of the cells is the schedule's.

use core::mem::MaybeUninit;

use convexfx_laws::sha256::{Digest, Sha256};
use convexfx_laws::Stage;

use crate::machine::call;
use crate::measured;

const SHA_EXTEND: u64 = 0x0030_0105;
const SHA_COMPRESS: u64 = 0x0001_0106;

const INITIAL: [u64; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// State and schedule of one hash.
pub struct Precompile {
    state: [u64; 8],
    cells: MaybeUninit<[u64; 64]>,
}

/// Turns the bytes of both 32-bit halves around, by masks: RV64IM has no instruction for it.
#[inline(always)]
fn turn_halves(word: u64) -> u64 {
    const BYTES: u64 = 0x00ff_00ff_00ff_00ff;
    const PAIRS: u64 = 0x0000_ffff_0000_ffff;
    let word = (word & BYTES) << 8 | (word >> 8) & BYTES;
    (word & PAIRS) << 16 | (word >> 16) & PAIRS
}

impl Sha256 for Precompile {
    fn new() -> Self {
        Self {
            state: INITIAL,
            cells: MaybeUninit::uninit(),
        }
    }

    #[inline(always)]
    fn start(&mut self) {
        self.state = INITIAL;
    }

    #[inline(always)]
    fn put(&mut self, place: usize, word: u64) {
        if !measured::HASHES {
            return measured::consume(word);
        }
        let turned = turn_halves(word);
        // SAFETY: both cells are among the first 16 of 64.
        unsafe {
            let cell = self.cells.as_mut_ptr().cast::<u64>().add(2 * (place % 8));
            cell.write(turned & 0xffff_ffff);
            cell.add(1).write(turned >> 32);
        }
    }

    #[inline(always)]
    fn compress(&mut self) {
        if !measured::HASHES {
            return;
        }
        let cells = self.cells.as_mut_ptr() as u64;
        // SAFETY: EXTEND reads the 16 cells of the block and writes the other 48, COMPRESS reads
        // all 64 and updates the eight words of the state: all of it is ours.
        unsafe {
            call(SHA_EXTEND, cells, 0);
            call(SHA_COMPRESS, cells, self.state.as_mut_ptr() as u64);
        }
    }

    fn digest(&self) -> Digest {
        core::array::from_fn(|place| {
            turn_halves(self.state[2 * place] | self.state[2 * place + 1] << 32)
        })
    }

    #[inline(always)]
    fn reached(stage: Stage) {
        measured::reached(stage);
    }
}
