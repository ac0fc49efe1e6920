//! `laws-check-canary`: as `laws-check`, with some laws left out, for tests of the tests.

mod command;

use std::env;
use std::ops::RangeInclusive;
use std::process::ExitCode;

use convexfx_laws::software_sha256::Software;

const USAGE: &str = "usage: laws-check-canary --without LAW ... WITNESS... [--json]
       laws-check-canary --without LAW ... --stream
LAW is a number from 1 to 18, or 20; --without may stand several times.";
const WITHOUT: &str = "--without";
/// L0 makes what the other laws read, L19 is what they are for.
const LAWS: RangeInclusive<u32> = 1..=20;
const DERIVED: u32 = 19;

fn main() -> ExitCode {
    let (mut rest, mut mask, mut arguments) = (Vec::new(), 0, env::args().skip(1));
    while let Some(argument) = arguments.next() {
        if argument != WITHOUT {
            rest.push(argument);
            continue;
        }
        let law = arguments.next().and_then(|law| law.parse().ok());
        let Some(law) = law.filter(|law| LAWS.contains(law) && *law != DERIVED) else {
            return command::trouble(USAGE);
        };
        mask |= 1 << law;
    }
    let check = |words: &[u64], byte_length: usize| {
        convexfx_laws::check_without::<Software>(words, byte_length, mask)
    };
    command::run(USAGE, &rest, &check)
}
