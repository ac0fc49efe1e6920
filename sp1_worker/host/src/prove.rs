//! A proof, from witness to file. The same for a command that proves once and for a server that
//! keeps its prover.
//!
//! What starting a prover costs is the keys of SP1's recursion programs: it builds and commits to
//! them also for a core proof, on two cores for most of a minute. They belong to the process, so a
//! server pays once. SP1's set-up of the ELF, a few seconds, comes on top and is kept as well. Both
//! are counted as `start`: everything before the first shard is being proved, in every proof.

use std::{path::PathBuf, time::Instant};

use laws_node::{Kind, Node};
use serde::Serialize;
use sp1_sdk::SP1VerifyingKey;

use crate::{
    errors::{Code, Failure},
    execute::{Executor, Outcome},
    frames::WITNESS_BYTES_MAX,
    memory,
    program::{encode, expect_vkey, vkey_hex, Program},
    progress::Progress,
    report::{from_hex, read_file, sha256_hex, write_file},
    spans,
    verify::{verify, Mode},
};

/// What is to be proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The kind of proof.
    pub mode: Mode,
    /// The witness file.
    pub witness: PathBuf,
    /// Where the proof goes.
    pub out: PathBuf,
    /// The key that the caller expects, in hex.
    pub vkey: Option<String>,
}

/// Where the time went, in seconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Seconds {
    /// Before the first shard: a prover's keys, if this proof is its first, and SP1's set-up.
    pub start: f64,
    /// Executing the guest, before anything is proved.
    pub execute: f64,
    /// From the first shard to the proof.
    pub prove: f64,
    /// Verifying it.
    pub verify: f64,
}

/// A proof that was made, verified and written.
#[derive(Clone, Debug, Serialize)]
pub struct Proved {
    /// The kind of proof.
    pub mode: &'static str,
    /// The key's hash in hex.
    pub vkey: String,
    /// The ELF's SHA-256 in hex.
    pub elf_sha256: String,
    /// The public values in hex.
    pub public_values: String,
    /// The proof file's SHA-256 in hex.
    pub proof_sha256: String,
    /// Its size.
    pub proof_bytes: u64,
    /// Where the time went.
    pub seconds: Seconds,
    /// Processor time that it took, all threads together.
    pub processor_seconds: f64,
    /// The most memory held for this proof, its executors included.
    pub peak_memory_bytes: u64,
    /// Instructions executed.
    pub cycles: u64,
}

/// A prover whose keys are made, for one program.
struct Warm {
    node: Node,
    key: SP1VerifyingKey,
    vkey: String,
    /// What making them took, until a proof has accounted for it.
    unpaid_seconds: f64,
}

/// Proves for one program; keeps its prover.
pub struct Workshop {
    program: Program,
    executor: Executor,
    warm: Option<Warm>,
}

impl Workshop {
    /// A workshop without a prover yet.
    ///
    /// # Errors
    /// `environment` if SP1 does not take the ELF.
    pub fn new(program: Program) -> Result<Self, Failure> {
        let executor = Executor::new(&program)?;
        Ok(Workshop {
            program,
            executor,
            warm: None,
        })
    }

    /// Makes the prover if there is none; returns the seconds it took, and the key's hash.
    ///
    /// # Errors
    /// `environment` if SP1 fails.
    pub fn start(&mut self, progress: &Progress) -> Result<(f64, String), Failure> {
        if let Some(warm) = &self.warm {
            return Ok((0.0, warm.vkey.clone()));
        }
        let began = Instant::now();
        let (node, _) = progress.stage("start", Node::start);
        let node = node.map_err(|what| Failure::environment(format!("prover: {what}")))?;
        let (key, _) = progress.stage("key", || node.setup(&self.program.elf));
        let key = key.map_err(|what| Failure::environment(format!("elf: {what}")))?;
        let vkey = vkey_hex(&key);
        let seconds = began.elapsed().as_secs_f64();
        self.warm = Some(Warm {
            node,
            key,
            vkey: vkey.clone(),
            unpaid_seconds: seconds,
        });
        Ok((seconds, vkey))
    }

    /// Executes, proves, verifies and writes.
    ///
    /// # Errors
    /// `law_violated` and `guest_trapped` before anything is proved; `wrong_vkey`; `proof_invalid`
    /// if the proof does not verify or shows other public values than the execution;
    /// `environment`. After a failure of SP1 the next proof gets a new prover.
    pub fn prove(&mut self, job: &Job, progress: &Progress) -> Result<Proved, Failure> {
        memory::reset_peak();
        let used = memory::processor_seconds();
        let witness = read_file(&job.witness, WITNESS_BYTES_MAX)?;
        let (outcome, execute) = progress.stage("execute", || self.executor.run(&witness));
        let outcome = outcome?;
        if let Some(failure) = outcome.failure() {
            return Err(failure);
        }
        self.start(progress)?;
        let made = match self.warm.as_mut() {
            Some(warm) => warm.prove(&self.program.elf, job, witness, &outcome, progress),
            None => Err(Failure::environment("prover: it did not start")),
        };
        if made
            .as_ref()
            .is_err_and(|failure| failure.code != Code::WrongVkey)
        {
            self.warm = None;
        }
        let (proof, vkey, mut seconds) = made?;
        seconds.execute = execute;
        write_file(&job.out, &proof)?;
        Ok(Proved {
            mode: job.mode.name(),
            vkey,
            elf_sha256: self.program.elf_sha256.clone(),
            public_values: outcome.public_values.unwrap_or_default(),
            proof_sha256: sha256_hex(&proof),
            proof_bytes: proof.len() as u64,
            seconds,
            processor_seconds: memory::processor_seconds() - used,
            peak_memory_bytes: memory::peak_bytes(),
            cycles: outcome.cycles,
        })
    }
}

impl Warm {
    /// Proves and verifies; returns the proof's bytes, the key's hash and where the time went.
    fn prove(
        &mut self,
        elf: &[u8],
        job: &Job,
        witness: Vec<u8>,
        outcome: &Outcome,
        progress: &Progress,
    ) -> Result<(Vec<u8>, String, Seconds), Failure> {
        if let Some(named) = &job.vkey {
            expect_vkey(&self.vkey, named)?;
        }
        let began = Instant::now();
        let kind = match job.mode {
            Mode::Core => Kind::Core,
            Mode::Compressed => Kind::Compressed,
        };
        let proof = spans::following(progress, || self.node.prove(elf, witness, kind))
            .map_err(|what| Failure::environment(format!("prover: {what}")))?;
        let proving = progress.first_shard().unwrap_or(began);
        let prove = proving.elapsed().as_secs_f64();
        let start = self.unpaid_seconds + proving.duration_since(began).as_secs_f64();
        self.unpaid_seconds = 0.0;
        let bytes = encode(&proof).map_err(Failure::environment)?;
        drop(proof);
        // Believed no more than anyone else will: the same check, with the values of the execution.
        let values = from_hex(
            "public values",
            outcome.public_values.as_deref().unwrap_or(""),
        )?;
        let (verified, verify) =
            progress.stage("verify", || verify(&bytes, job.mode, &self.key, &values));
        verified?;
        Ok((
            bytes,
            self.vkey.clone(),
            Seconds {
                start,
                prove,
                verify,
                ..Seconds::default()
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_elf_that_is_none_makes_no_workshop() {
        let program = Program {
            elf: vec![0; 64],
            elf_sha256: String::new(),
        };
        assert_eq!(
            Workshop::new(program).err().unwrap().code,
            Code::Environment
        );
    }
}
