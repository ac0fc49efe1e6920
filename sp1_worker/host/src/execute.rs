//! The guest in SP1's own executor, without a proof. Milliseconds an epoch: the program is read
//! once, and no trace is kept.

use std::{
    io::Read,
    panic::{catch_unwind, AssertUnwindSafe},
    path::Path,
    sync::Arc,
    time::Instant,
};

use laws_node::panic_text;
use serde::Serialize;
use sp1_core_executor::{ExecutionError, OutputConsumers, Program as Instructions};
use sp1_core_executor_runner::MinimalExecutorRunner;
use tokio::sync::watch;

use crate::{
    errors::{Code, Failure},
    frames::{next_frame, WITNESS_BYTES_MAX},
    program::Program,
    report::{hex, print_line, read_file},
};

/// The most memory that the executor of one guest may hold, in bytes.
const GUEST_MEMORY_BYTES_MAX: u64 = 4 << 30;

/// The guest ends with this plus the number of the law that is violated.
const EXIT_LAW_BASE: u32 = 16;

/// The highest law that an exit code can name.
const LAW_MAX: u32 = 20;

/// How a guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Exit code 0: every law holds.
    Ok,
    /// An exit code that names a law.
    Violated,
    /// Anything else: a panic, a fault, the memory limit.
    Trapped,
}

/// What one execution showed.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// How the guest ended.
    pub verdict: Verdict,
    /// Its exit code; none where the executor stopped it.
    pub exit_code: Option<u32>,
    /// The law that is violated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub law: Option<u8>,
    /// The guest's last words, or the executor's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The public values in hex, where every law holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_values: Option<String>,
    /// Instructions executed.
    pub cycles: u64,
    /// Wall time.
    pub milliseconds: f64,
}

impl Outcome {
    /// The failure that an outcome other than `ok` is for a proof.
    pub fn failure(&self) -> Option<Failure> {
        let detail = self.detail.as_deref().unwrap_or("no detail");
        match self.verdict {
            Verdict::Ok => None,
            Verdict::Violated => {
                let law = self.law.unwrap_or_default();
                let message = format!("witness: law {law} is violated: {detail}");
                Some(Failure {
                    law: Some(law),
                    ..Failure::new(Code::LawViolated, message)
                })
            }
            Verdict::Trapped => {
                let code = self
                    .exit_code
                    .map_or("none".to_owned(), |code| code.to_string());
                let message = format!("witness: the guest trapped, exit code {code}: {detail}");
                Some(Failure::new(Code::GuestTrapped, message))
            }
        }
    }
}

/// The verdict of an exit code, and the law it names.
pub fn judge(exit_code: u32) -> (Verdict, Option<u8>) {
    match exit_code {
        0 => (Verdict::Ok, None),
        code if (EXIT_LAW_BASE..=EXIT_LAW_BASE + LAW_MAX).contains(&code) => {
            (Verdict::Violated, u8::try_from(code - EXIT_LAW_BASE).ok())
        }
        _ => (Verdict::Trapped, None),
    }
}

/// A guest that is ready to be executed many times.
pub struct Executor {
    instructions: Arc<Instructions>,
}

impl Executor {
    /// Reads the guest's instructions.
    ///
    /// # Errors
    /// `environment` if SP1 does not take the ELF.
    pub fn new(program: &Program) -> Result<Self, Failure> {
        let read = catch_unwind(AssertUnwindSafe(|| {
            Instructions::from(&program.elf).map_err(|error| error.to_string())
        }));
        let read = read.unwrap_or_else(|panic| Err(panic_text(&*panic)));
        let instructions = read.map_err(|what| Failure::environment(format!("elf: {what}")))?;
        Ok(Executor {
            instructions: Arc::new(instructions),
        })
    }

    /// Executes the guest on one witness.
    ///
    /// # Errors
    /// `out_of_memory` if the executor was killed, `environment` if it could not be started.
    pub fn run(&self, witness: &[u8]) -> Result<Outcome, Failure> {
        let began = Instant::now();
        let (sender, receiver) = watch::channel(String::new());
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let mut runner = MinimalExecutorRunner::new(
                self.instructions.clone(),
                false,
                None,
                GUEST_MEMORY_BYTES_MAX,
                0,
            );
            runner.set_output_consumers(OutputConsumers {
                stdout: None,
                stderr: Some(sender),
            });
            runner.with_input(witness);
            runner.try_execute_chunk().map(|_| runner)
        }));
        let ended = ended.map_err(|panic| {
            Failure::environment(format!("SP1's executor: {}", panic_text(&*panic)))
        })?;
        let milliseconds = began.elapsed().as_secs_f64() * 1e3;
        let words = receiver.borrow().lines().last().map(str::to_owned);
        match ended {
            Ok(runner) => {
                let (verdict, law) = judge(runner.exit_code());
                let values = runner.public_values_stream();
                Ok(Outcome {
                    verdict,
                    exit_code: Some(runner.exit_code()),
                    law,
                    detail: words,
                    public_values: (verdict == Verdict::Ok).then(|| hex(values)),
                    cycles: runner.global_clk(),
                    milliseconds,
                })
            }
            Err(error) => stopped(&error, words, milliseconds),
        }
    }
}

/// What it means that the executor stopped the guest.
fn stopped(
    error: &ExecutionError,
    words: Option<String>,
    milliseconds: f64,
) -> Result<Outcome, Failure> {
    let text = error.to_string();
    match error {
        ExecutionError::ChildKilled() => Err(Failure::new(Code::OutOfMemory, text)),
        ExecutionError::Other(what) if what.starts_with("failed") => {
            Err(Failure::environment(format!("SP1's executor: {what}")))
        }
        _ => Ok(Outcome {
            verdict: Verdict::Trapped,
            exit_code: None,
            law: None,
            detail: Some(words.map_or(text.clone(), |words| format!("{words}; {text}"))),
            public_values: None,
            cycles: 0,
            milliseconds,
        }),
    }
}

/// An outcome and the witness it belongs to: a line of output.
#[derive(Serialize)]
struct Line<'a> {
    witness: &'a str,
    #[serde(flatten)]
    outcome: Outcome,
}

/// The worst of several verdicts, as the exit code of the command.
fn exit_code(verdicts: impl IntoIterator<Item = Verdict>) -> u8 {
    let code = |verdict| match verdict {
        Verdict::Ok => 0,
        Verdict::Violated => Code::LawViolated.exit_code(),
        Verdict::Trapped => Code::GuestTrapped.exit_code(),
    };
    verdicts.into_iter().map(code).max().unwrap_or(0)
}

/// Executes witness files and prints a line each.
///
/// # Errors
/// `environment` if a file cannot be read, else as [`Executor::run`].
pub fn files(executor: &Executor, witnesses: &[impl AsRef<Path>]) -> Result<u8, Failure> {
    let mut verdicts = Vec::new();
    for path in witnesses {
        let path = path.as_ref();
        let outcome = executor.run(&read_file(path, WITNESS_BYTES_MAX)?)?;
        verdicts.push(outcome.verdict);
        print_line(&Line {
            witness: &path.to_string_lossy(),
            outcome,
        });
    }
    Ok(exit_code(verdicts))
}

/// Executes witnesses from frames, each a length of eight bytes (little-endian) and so many bytes,
/// and prints a line each, named by its position.
///
/// # Errors
/// `usage` if a frame is cut or too long, else as [`Executor::run`].
pub fn stream(executor: &Executor, mut input: impl Read) -> Result<u8, Failure> {
    let mut verdicts = Vec::new();
    while let Some(witness) = next_frame(&mut input)? {
        let outcome = executor.run(&witness)?;
        let name = verdicts.len().to_string();
        verdicts.push(outcome.verdict);
        print_line(&Line {
            witness: &name,
            outcome,
        });
    }
    Ok(exit_code(verdicts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_name_laws_from_16_on() {
        assert_eq!(judge(0), (Verdict::Ok, None));
        assert_eq!(judge(16), (Verdict::Violated, Some(0)));
        assert_eq!(judge(36), (Verdict::Violated, Some(20)));
        for trap in [1, 15, 37, u32::MAX] {
            assert_eq!(judge(trap), (Verdict::Trapped, None));
        }
    }

    #[test]
    fn the_worst_verdict_decides_the_exit_code() {
        assert_eq!(exit_code([]), 0);
        assert_eq!(exit_code([Verdict::Ok]), 0);
        assert_eq!(exit_code([Verdict::Ok, Verdict::Violated]), 10);
        assert_eq!(
            exit_code([Verdict::Violated, Verdict::Trapped, Verdict::Ok]),
            11
        );
    }

    #[test]
    fn an_executor_that_stops_the_guest_is_a_trap_unless_it_never_ran() {
        let trap = stopped(
            &ExecutionError::Unimplemented(),
            Some("last words".into()),
            1.0,
        );
        let trap = trap.unwrap();
        assert_eq!(trap.verdict, Verdict::Trapped);
        assert!(trap.detail.as_deref().unwrap().starts_with("last words; "));
        assert_eq!(trap.failure().unwrap().code, Code::GuestTrapped);
        let killed = stopped(&ExecutionError::ChildKilled(), None, 1.0).unwrap_err();
        assert_eq!(killed.code, Code::OutOfMemory);
        let other = ExecutionError::Other("failed to spawn child process: none".into());
        assert_eq!(
            stopped(&other, None, 1.0).unwrap_err().code,
            Code::Environment
        );
    }

    #[test]
    fn a_violated_law_is_named_in_the_failure() {
        let (verdict, law) = judge(16 + 7);
        let outcome = Outcome {
            verdict,
            exit_code: Some(23),
            law,
            detail: None,
            public_values: None,
            cycles: 9,
            milliseconds: 1.0,
        };
        let failure = outcome.failure().unwrap();
        assert_eq!((failure.code, failure.law), (Code::LawViolated, Some(7)));
        let line = serde_json::to_value(Line {
            witness: "w",
            outcome,
        })
        .unwrap();
        assert_eq!(line["verdict"], "violated");
        assert_eq!(line["law"], 7);
        assert!(line.get("public_values").is_none() && line.get("detail").is_none());
    }
}
