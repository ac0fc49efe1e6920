//! SP1's prover, held so that a second proof pays nothing twice. A crate of its own because SP1's
//! prover is generic: whoever names it compiles it, for minutes, and the host is compiled often.
//!
//! The SDK's prover makes the verifying key of the ELF anew in every proof: it names the ELF anew
//! each time, and SP1 keeps keys by that name. Here the ELF keeps its name, so that set-up is done
//! once. Everything else is as the SDK does it.

use std::{
    any::Any,
    panic::{catch_unwind, AssertUnwindSafe},
    time::{Duration, Instant},
};

use sp1_prover::worker::{
    cpu_worker_builder, LocalWorkerClient, ProofId, RawTaskRequest, RequesterId, SP1LocalNode,
    SP1LocalNodeBuilder, TaskContext, WorkerClient,
};
use sp1_prover_types::{
    network_base_types::ProofMode, Artifact, ArtifactClient, ArtifactType, InMemoryArtifactClient,
    ProofArtifacts, ProofRequestStatus, TaskStatus, TaskType,
};
use sp1_sdk::{ProofFromNetwork, RiscvAir, SP1ProofWithPublicValues, SP1Stdin, SP1VerifyingKey};
use tokio::runtime::Runtime;

/// The kind of proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A proof a shard: grows with the run.
    Core,
    /// One proof of constant size.
    Compressed,
}

/// How long work that was begun may go on when a node is dropped, in seconds. SP1 cannot be
/// interrupted; a new node beside an old one that still proves would need the memory twice.
const SHUTDOWN_S: u64 = 120;

/// How long SP1 may take to forget the inputs of a proof that is made, in seconds.
const FORGET_S: u64 = 10;

/// A prover whose keys are made.
pub struct Node {
    runtime: Option<Runtime>,
    node: SP1LocalNode,
    artifacts: InMemoryArtifactClient,
    workers: LocalWorkerClient,
    elf: Artifact,
    proofs: u64,
}

impl Node {
    /// Makes the keys of SP1's recursion programs: most of a minute on two cores.
    ///
    /// # Errors
    /// A line on what SP1 says.
    pub fn start() -> Result<Self, String> {
        let runtime = Runtime::new().map_err(|error| format!("no threads: {error}"))?;
        let index = ProofArtifacts::default();
        let artifacts = InMemoryArtifactClient::with_index(index.clone());
        let (workers, channels) = LocalWorkerClient::init_with_index(index);
        let (ours, theirs) = (artifacts.clone(), workers.clone());
        let node = guarded(|| {
            let worker_builder = cpu_worker_builder()
                .with_artifact_client(ours)
                .with_worker_client(theirs);
            let builder = SP1LocalNodeBuilder {
                machine: RiscvAir::machine(),
                worker_builder,
                channels,
            };
            runtime.block_on(builder.build())
        })?;
        let elf = Artifact::from("laws-guest".to_owned());
        Ok(Node {
            runtime: Some(runtime),
            node,
            artifacts,
            workers,
            elf,
            proofs: 0,
        })
    }

    /// The verifying key of an ELF.
    ///
    /// # Errors
    /// A line on what SP1 says.
    pub fn setup(&self, elf: &[u8]) -> Result<SP1VerifyingKey, String> {
        guarded(|| self.runtime()?.block_on(self.node.setup(elf)))
    }

    /// Proves the run of an ELF on a witness. A node takes one ELF for life.
    ///
    /// # Errors
    /// A line on what SP1 says; the node is not to be used again.
    pub fn prove(
        &mut self,
        elf: &[u8],
        witness: Vec<u8>,
        kind: Kind,
    ) -> Result<SP1ProofWithPublicValues, String> {
        self.proofs += 1;
        let id = ProofId::new(format!("proof-{}", self.proofs));
        guarded(|| {
            self.runtime()?
                .block_on(self.request(elf, witness, kind, id))
        })
    }

    /// One proof, from upload to download.
    async fn request(
        &self,
        elf: &[u8],
        witness: Vec<u8>,
        kind: Kind,
        id: ProofId,
    ) -> Result<SP1ProofWithPublicValues, anyhow::Error> {
        let mut stdin = SP1Stdin::new();
        stdin.write_vec(witness);
        let input = self.artifacts.create_artifact()?;
        let output = self.artifacts.create_artifact()?;
        self.artifacts
            .upload_program(&self.elf, elf.to_vec())
            .await?;
        self.artifacts
            .upload_with_type(&input, ArtifactType::Stdin, stdin)
            .await?;
        let mode = match kind {
            Kind::Core => ProofMode::Core,
            Kind::Compressed => ProofMode::Compressed,
        };
        let request = RawTaskRequest {
            inputs: vec![
                self.elf.clone(),
                input,
                Artifact::from((mode as i32).to_string()),
            ],
            outputs: vec![output.clone()],
            context: TaskContext {
                proof_id: id.clone(),
                parent_id: None,
                parent_context: None,
                requester_id: RequesterId::new("laws-host"),
            },
        };
        let task = self
            .workers
            .submit_task(TaskType::Controller, request)
            .await?;
        let waiting = self.workers.subscriber(id.clone()).await?.per_task();
        let status = waiting.wait_task(task).await?;
        if status != TaskStatus::Succeeded {
            return Err(anyhow::anyhow!("SP1 made no proof: {status:?}"));
        }
        let proof: ProofFromNetwork = self.artifacts.download(&output).await?;
        let completed = ProofRequestStatus::Completed;
        self.workers
            .complete_proof(id.clone(), None, completed, "")
            .await?;
        self.workers.cleanup(&id, &self.artifacts).await;
        self.forgotten().await?;
        Ok(proof.into())
    }

    /// Waits until SP1 has deleted the ELF it was given for this proof, which it does just after
    /// it says that the proof is made: what the next proof uploads under the name must stay.
    async fn forgotten(&self) -> Result<(), anyhow::Error> {
        let began = Instant::now();
        while self
            .artifacts
            .exists(&self.elf, ArtifactType::Program)
            .await?
        {
            if began.elapsed() > Duration::from_secs(FORGET_S) {
                return Err(anyhow::anyhow!(
                    "SP1 keeps the inputs of a proof that is made"
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn runtime(&self) -> Result<&Runtime, anyhow::Error> {
        self.runtime
            .as_ref()
            .ok_or_else(|| anyhow::anyhow!("no threads"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(SHUTDOWN_S));
        }
    }
}

/// Runs a piece of SP1; its errors and panics become one line.
fn guarded<T>(work: impl FnOnce() -> Result<T, anyhow::Error>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| format!("{error:#}")),
        Err(panic) => Err(format!("SP1 panicked: {}", panic_text(&*panic))),
    }
}

/// What was said when a piece of code panicked.
pub fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_or_an_error_of_sp1_becomes_a_line() {
        let panicked = guarded(|| -> Result<u8, _> { panic!("row {}", 7) });
        assert_eq!(panicked.unwrap_err(), "SP1 panicked: row 7");
        let panicked = guarded(|| -> Result<u8, _> { std::panic::panic_any(7u8) });
        assert_eq!(
            panicked.unwrap_err(),
            "SP1 panicked: a panic without a message"
        );
        let failed = guarded(|| -> Result<u8, _> { Err(anyhow::anyhow!("no")) });
        assert_eq!(failed.unwrap_err(), "no");
        assert_eq!(guarded(|| Ok(7)), Ok(7));
    }
}
