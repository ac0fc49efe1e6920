//! Builds that are measured: they hash nothing, and some end where a part of the check ends.
//!
//! `bench/guest_cycles.py` takes the differences. The committed ELF has none of these features.

use convexfx_laws::Stage;

use crate::machine::fail;

/// Exit code of a run that was stopped.
const STOPPED: u64 = 3;

/// Whether blocks are hashed.
pub const HASHES: bool = !cfg!(feature = "unhashed");

static STOP: Option<Stage> = if cfg!(feature = "stop-decode") {
    Some(Stage::Decoded)
} else if cfg!(feature = "stop-laws") {
    Some(Stage::Cleared)
} else if cfg!(feature = "stop-diffs") {
    Some(Stage::Followed)
} else {
    None
};

/// Ends the run if it is to stop here.
#[inline(always)]
pub fn reached(stage: Stage) {
    if HASHES {
        return;
    }
    // SAFETY: a static of this crate. Volatile, so that the compiler does not know that the run
    // ends here and leaves out work whose results only later parts need.
    let stop = unsafe { core::ptr::read_volatile(&raw const STOP) };
    if stop == Some(stage) {
        fail(STOPPED)
    }
}

/// Uses a word up where it is not hashed, so that the work to make it is still done.
#[inline(always)]
pub fn consume(word: u64) {
    // SAFETY: no instruction at all.
    unsafe { core::arch::asm!("", in("a0") word, options(nomem, nostack, preserves_flags)) };
}
