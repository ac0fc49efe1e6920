//! The machine under the guest: SP1 v6 by its system calls, and nothing else.
//!
//! A call takes its number in `t0` and its arguments in `a0`.. and answers in `t0`. Numbers and
//! conventions are those of circuit version 6.1.0 (`docs/proof.md`).

use core::arch::{asm, global_asm};

use convexfx_laws::sha256::{bare, Hash};

use crate::precompile::Precompile;

const HALT: u64 = 0x00;
const WRITE: u64 = 0x02;
const COMMIT: u64 = 0x10;
const COMMIT_DEFERRED_PROOFS: u64 = 0x1A;
const HINT_LEN: u64 = 0xF0;
const HINT_READ: u64 = 0xF1;

const STDERR: u64 = 2;
const PUBLIC_VALUES: u64 = 13;

/// Where the input is read to: memory that nothing has touched, as HINT_READ requires. The heap
/// ends here; SP1's own runtime sets the same 16 GiB aside.
pub const INPUT_START: usize = (1 << 37) - INPUT_BYTES_MAX;
const INPUT_BYTES_MAX: usize = 1 << 34;

// The stack grows down from the address at which the image begins.
global_asm!(
    ".section .text._start,\"ax\",@progbits",
    ".globl _start",
    "_start:",
    ".option push",
    ".option norelax",
    "la gp, __global_pointer$",
    ".option pop",
    "li sp, 0x78000000",
    "call {main}",
    "unimp",
    main = sym crate::main,
);

/// A call with two arguments; the answer is what stands in `t0` afterwards.
///
/// # Safety
///
/// The arguments must be what the call expects: addresses of memory that it may read or write.
pub unsafe fn call(number: u64, first: u64, second: u64) -> u64 {
    let answer;
    // SAFETY: SP1 changes no register but t0; memory counts as clobbered.
    unsafe {
        asm!(
            "ecall",
            inlateout("t0") number => answer,
            in("a0") first,
            in("a1") second,
            options(nostack),
        );
    }
    answer
}

/// The one input of the host, as words; the last word is filled up with zero bytes.
///
/// Returns the words and the length in bytes, or `None` where the host gave no input or one that
/// is larger than any address allows. To be called once.
pub fn input() -> Option<(&'static [u64], usize)> {
    // SAFETY: HINT_LEN takes no arguments.
    let bytes = usize::try_from(unsafe { call(HINT_LEN, 0, 0) }).ok()?;
    if bytes > INPUT_BYTES_MAX - 8 {
        return None;
    }
    // SAFETY: the region is ours alone, aligned, and untouched until now. HINT_READ writes
    // bytes / 8 + 1 words, one more than needed where bytes is a multiple of 8, so all of
    // `div_ceil` words are written and stay as they are from then on.
    let words = unsafe {
        call(HINT_READ, INPUT_START as u64, bytes as u64);
        core::slice::from_raw_parts(INPUT_START as *const u64, bytes.div_ceil(8))
    };
    Some((words, bytes))
}

/// Writes bytes to a file descriptor of the host.
fn write(descriptor: u64, bytes: &[u8]) {
    // SAFETY: WRITE reads `a2` bytes at `a1`, all of them inside the slice.
    unsafe {
        asm!(
            "ecall",
            inlateout("t0") WRITE => _,
            in("a0") descriptor,
            in("a1") bytes.as_ptr(),
            in("a2") bytes.len(),
            options(nostack),
        );
    }
}

/// Says something to whoever runs the guest; no part of the statement.
pub fn say(bytes: &[u8]) {
    write(STDERR, bytes);
}

/// Ends the run well: `values` are what the proof states.
pub fn halt_with(values: &[u64]) -> ! {
    // SAFETY: the bytes of words, for as long as the words live.
    let bytes =
        unsafe { core::slice::from_raw_parts(values.as_ptr().cast::<u8>(), 8 * values.len()) };
    write(PUBLIC_VALUES, bytes);
    halt(0, values)
}

/// Ends the run with a code other than 0: nothing is stated.
pub fn fail(code: u64) -> ! {
    halt(code, &[])
}

fn halt(code: u64, values: &[u64]) -> ! {
    for (index, word) in (0..).zip(bare(&mut Hash::<Precompile>::new(), values)) {
        // SAFETY: COMMIT takes an index below 8 and 32 bits: the digest's little-endian words.
        unsafe {
            call(COMMIT, 2 * index, word & 0xffff_ffff);
            call(COMMIT, 2 * index + 1, word >> 32);
        }
    }
    for index in 0..8 {
        // SAFETY: an index below 8 and a word; no proof is verified inside, so all are zero.
        unsafe { call(COMMIT_DEFERRED_PROOFS, index, 0) };
    }
    // SAFETY: HALT never returns.
    unsafe {
        asm!("ecall", in("t0") HALT, in("a0") code, options(noreturn, nostack));
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    say(b"panic\n");
    fail(1)
}
