//! `laws-check`: holds witnesses to the laws.

mod command;

use std::env;
use std::process::ExitCode;

use convexfx_laws::software_sha256::Software;

const USAGE: &str = "usage: laws-check WITNESS... [--json]
       laws-check --stream
Add --plain to ask every law row by row, without the walk that finds them all to hold at once.";
const PLAIN: &str = "--plain";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let all = arguments.len();
    arguments.retain(|argument| argument != PLAIN);
    if arguments.len() < all {
        return command::run(USAGE, &arguments, &convexfx_laws::check_plainly::<Software>);
    }
    command::run(USAGE, &arguments, &convexfx_laws::check::<Software>)
}
