//! What this binary needs and whether it is there.

use std::path::Path;

use serde_json::{json, Value};
use sp1_sdk::SP1_CIRCUIT_VERSION;

use crate::{
    errors::Failure,
    execute::{Executor, Verdict},
    memory,
    program::Program,
    settings,
};

/// Where SP1's executor was when this binary was built; none if it is built into the binary.
const RUNNER: Option<&str> = option_env!("SP1_CORE_RUNNER_OVERRIDE_BINARY");

/// Looks at everything and executes the guest on an empty witness, which it must refuse.
///
/// # Errors
/// `environment`, naming what is missing.
pub fn selfcheck(program: &Program) -> Result<Value, Failure> {
    if let Some(runner) = RUNNER.filter(|runner| !Path::new(runner).is_file()) {
        return Err(Failure::environment(format!(
            "SP1's executor: {runner} is not there"
        )));
    }
    let outcome = Executor::new(program)?.run(&[])?;
    if outcome.verdict == Verdict::Ok {
        return Err(Failure::environment(
            "elf: the guest takes an empty witness",
        ));
    }
    let machine = memory::machine();
    Ok(json!({
        "ok": true,
        "sp1": env!("LAWS_HOST_SP1_VERSION"),
        "circuit": SP1_CIRCUIT_VERSION,
        "rustc": env!("LAWS_HOST_RUSTC"),
        "executor": RUNNER.unwrap_or("built in"),
        "elf_sha256": program.elf_sha256,
        "empty_witness": outcome,
        "cores": machine.cores,
        "memory_bytes": machine.memory_bytes,
        "memory_available_bytes": memory::available_bytes(),
        "memory_limit_bytes": settings::memory_limit_bytes(machine),
        "settings": settings::in_force(machine),
    }))
}
