//! The laws as an SP1 program.
//!
//! One input, a witness; exit code 0 with the 392 bytes of public values, 16 + law when a law does
//! not hold, 1 when anything panics. Nothing is committed unless every law holds. All unsafe code of
//! the proof programme stands in this crate, each block with its reason.
#![no_std]
#![no_main]

mod heap;
mod machine;
mod measured;
mod precompile;
mod stderr;

use core::fmt::Write;

use convexfx_laws::Violation;

use crate::precompile::Precompile;
use crate::stderr::Line;

/// Added to the number of a violated law: exit codes below it are the runtime's.
const LAW_EXIT_CODE: u64 = 16;

/// Where the runtime's entry goes.
extern "C" fn main() -> ! {
    let Some((words, bytes)) = machine::input() else {
        machine::say(b"no input\n");
        machine::fail(1)
    };
    match convexfx_laws::check::<Precompile>(words, bytes) {
        Ok(values) => machine::halt_with(&values.0),
        Err(violation) => {
            if measured::HASHES {
                explain(&violation);
            }
            machine::fail(LAW_EXIT_CODE + u64::from(violation.law))
        }
    }
}

/// Says in one line what does not hold.
fn explain(violation: &Violation) {
    let mut line = Line::new();
    // A line that is too long ends early: the exit code says the law anyway.
    let _ = writeln!(line, "{violation}");
    machine::say(line.bytes());
}
