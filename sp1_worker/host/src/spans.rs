//! SP1 tells what it does in spans and errors of the `tracing` crate only. This subscriber takes
//! the few that are stages of a proof to the progress of the request, and errors to stderr.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{
        atomic::{AtomicU64, Ordering},
        Mutex,
    },
};

use tracing::{
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::Interest,
    Event, Level, Metadata, Subscriber,
};

use crate::progress::{lock, Progress};

/// The progress of the proof that is being made; one at a time in a process.
static CURRENT: Mutex<Option<Progress>> = Mutex::new(None);

/// The stage that a span of SP1's prover stands for.
fn stage(target: &str, name: &str) -> Option<&'static str> {
    if !target.starts_with("sp1_prover") {
        return None;
    }
    match name {
        "setup vkey" => Some("setup"),
        "core setup and prove" | "core prove with pk" => Some("shard"),
        "normalize prove shard" => Some("recursion"),
        "RecursionReduce" => Some("reduce"),
        _ => None,
    }
}

/// Sends the stages to `progress` while `work` runs.
pub fn following<T>(progress: &Progress, work: impl FnOnce() -> T) -> T {
    /// Also after a panic, the next proof's stages must not go to this one's reader.
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            *lock(&CURRENT) = None;
        }
    }
    *lock(&CURRENT) = Some(progress.clone());
    let _reset = Reset;
    work()
}

/// Installs the subscriber, once a process.
pub fn install() {
    // A second call changes nothing, which is what is wanted.
    let _ = tracing::subscriber::set_global_default(Spans::default());
}

/// The open spans that are stages, each with the number of its holders.
#[derive(Default)]
struct Spans {
    last: AtomicU64,
    open: Mutex<HashMap<u64, (&'static str, usize)>>,
}

impl Subscriber for Spans {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            stage(metadata.target(), metadata.name()).is_some()
        } else {
            *metadata.level() == Level::ERROR
        }
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let metadata = span.metadata();
        if let Some(stage) = stage(metadata.target(), metadata.name()) {
            lock(&self.open).insert(id, (stage, 1));
            if let Some(progress) = lock(&CURRENT).clone() {
                progress.begun(stage);
            }
        }
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        eprintln!("{}: {}", event.metadata().target(), words.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn clone_span(&self, id: &Id) -> Id {
        if let Some((_, holders)) = lock(&self.open).get_mut(&id.into_u64()) {
            *holders += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut open = lock(&self.open);
        let Some((stage, holders)) = open.get_mut(&id.into_u64()) else {
            return false;
        };
        *holders -= 1;
        if *holders > 0 {
            return false;
        }
        let stage = *stage;
        open.remove(&id.into_u64());
        drop(open);
        if let Some(progress) = lock(&CURRENT).clone() {
            progress.done(stage);
        }
        true
    }
}

/// The message of an event, and its other fields after it.
struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        if field.name() == "message" {
            self.0.push_str(&format!("{value:?}"));
        } else {
            self.0.push_str(&format!("{}={value:?}", field.name()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::tests::kept;

    #[test]
    fn only_spans_of_the_prover_are_stages() {
        assert_eq!(
            stage("sp1_prover::worker::controller", "setup vkey"),
            Some("setup")
        );
        assert_eq!(
            stage("sp1_prover::worker::prover::core", "core prove with pk"),
            Some("shard")
        );
        assert_eq!(
            stage("sp1_prover::worker::prover::core", "core setup"),
            None
        );
        assert_eq!(stage("sp1_hypercube", "setup vkey"), None);
    }

    #[test]
    fn a_span_is_told_once_when_it_begins_and_once_when_its_last_holder_ends() {
        let (progress, lines) = kept();
        tracing::subscriber::with_default(Spans::default(), || {
            following(&progress, || {
                let span = tracing::debug_span!(target: "sp1_prover::test", "setup vkey");
                let second = span.clone();
                drop(span);
                assert_eq!(lock(&lines).len(), 1);
                drop(second);
                tracing::debug_span!(target: "sp1_prover::test", "another").in_scope(|| ());
            });
            tracing::debug_span!(target: "sp1_prover::test", "setup vkey").in_scope(|| ());
        });
        let states: Vec<String> = lock(&lines)
            .iter()
            .map(|l| l["state"].to_string())
            .collect();
        assert_eq!(states, ["\"begun\"", "\"done\""]);
    }
}
