//! SP1's settings. Its defaults are made for GPUs and many cores: on a small machine they run out
//! of memory. They are environment variables, so they are set before SP1 starts; a variable that
//! the caller has set is left alone.

use serde_json::{Map, Value};

/// Below this much memory the machine is small, in bytes.
pub const SMALL_MACHINE_MEMORY_BYTES: u64 = 64 << 30;

/// The most that a proof may hold on a small machine, in bytes.
const PROOF_MEMORY_BYTES_MAX: u64 = 18_000_000_000;

/// What a machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Threads that run at once.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// Thresholds of a shard. Larger shards mean fewer of them, so less work, and more memory: with
/// these a shard holds about a thousand orders and proving stays below 16 GB.
const SHARDS: [(&str, &str); 6] = [
    ("SHARD_SIZE", "4194304"),
    ("ELEMENT_THRESHOLD", "268435456"),
    ("HEIGHT_THRESHOLD", "4194304"),
    ("TRACE_CHUNK_SLOTS", "2"),
    ("MINIMAL_TRACE_CHUNK_THRESHOLD", "1048576"),
    ("MEMORY_LIMIT", "4294967296"),
];

/// Stages of SP1's pipeline, each with one worker and room for one task: two at once double the
/// memory and gain nothing where one already uses every core.
const STAGES: [&str; 7] = [
    "SPLICING",
    "CORE",
    "SETUP",
    "PREPARE_REDUCE",
    "RECURSION_EXECUTOR",
    "RECURSION_PROVER",
    "DEFERRED",
];

/// The settings for `machine`: name and value; none on a large machine.
pub fn settings(machine: Machine) -> Vec<(String, String)> {
    if machine.memory_bytes >= SMALL_MACHINE_MEMORY_BYTES {
        return Vec::new();
    }
    let cores = machine.cores.max(1).to_string();
    let mut found = vec![
        ("RAYON_NUM_THREADS".to_owned(), cores.clone()),
        ("TOKIO_WORKER_THREADS".to_owned(), cores),
        // A proof is verified once at its end; verifying each shard as well finds nothing more.
        (
            "SP1_WORKER_VERIFY_INTERMEDIATES".to_owned(),
            "false".to_owned(),
        ),
        (
            "SP1_WORKER_NORMALIZE_PROGRAM_CACHE_SIZE".to_owned(),
            "1".to_owned(),
        ),
        (
            "SP1_WORKER_NUMBER_OF_SEND_SPLICE_WORKERS_PER_SPLICE".to_owned(),
            "1".to_owned(),
        ),
        (
            "SP1_WORKER_GLOBAL_MEMORY_BUFFER_SIZE".to_owned(),
            "1".to_owned(),
        ),
    ];
    found.extend(SHARDS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for stage in STAGES {
        found.push((format!("SP1_WORKER_NUM_{stage}_WORKERS"), "1".to_owned()));
        found.push((format!("SP1_WORKER_{stage}_BUFFER_SIZE"), "1".to_owned()));
    }
    found
}

/// The most that a prover may hold, in bytes: 18 GB, and nine tenths of what there is. On a large
/// machine the defaults are in force and so is no limit: 0.
pub fn memory_limit_bytes(machine: Machine) -> u64 {
    if machine.memory_bytes >= SMALL_MACHINE_MEMORY_BYTES {
        return 0;
    }
    PROOF_MEMORY_BYTES_MAX.min(machine.memory_bytes / 10 * 9)
}

/// Those of `wanted` that the caller has not set.
pub fn missing(
    wanted: Vec<(String, String)>,
    is_set: impl Fn(&str) -> bool,
) -> Vec<(String, String)> {
    wanted
        .into_iter()
        .filter(|(name, _)| !is_set(name))
        .collect()
}

/// Sets what is missing. To be called before any thread is started: other threads may read the
/// environment.
pub fn apply(machine: Machine) {
    for (name, value) in missing(settings(machine), |name| std::env::var_os(name).is_some()) {
        std::env::set_var(name, value);
    }
}

/// The settings in force, for `selfcheck`.
pub fn in_force(machine: Machine) -> Value {
    let read = |name: String| {
        let value = std::env::var(&name).ok();
        value.map(|value| (name, Value::String(value)))
    };
    let found: Map<String, Value> = settings(machine)
        .into_iter()
        .filter_map(|(name, _)| read(name))
        .collect();
    Value::Object(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Machine = Machine {
        cores: 2,
        memory_bytes: 24 << 30,
    };

    fn value<'a>(found: &'a [(String, String)], name: &str) -> Option<&'a str> {
        found
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    #[test]
    fn a_small_machine_gets_one_worker_a_stage_and_as_many_threads_as_cores() {
        let found = settings(SMALL);
        assert_eq!(value(&found, "RAYON_NUM_THREADS"), Some("2"));
        for stage in STAGES {
            assert_eq!(
                value(&found, &format!("SP1_WORKER_NUM_{stage}_WORKERS")),
                Some("1")
            );
        }
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<String> = settings(SMALL).into_iter().map(|(name, _)| name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_large_machine_keeps_the_defaults_and_the_one_just_below_does_not() {
        let at = |memory_bytes| {
            settings(Machine {
                cores: 32,
                memory_bytes,
            })
        };
        assert!(at(SMALL_MACHINE_MEMORY_BYTES).is_empty());
        assert!(!at(SMALL_MACHINE_MEMORY_BYTES - 1).is_empty());
    }

    #[test]
    fn the_memory_limit_is_18_gb_or_nine_tenths() {
        let at = |memory_bytes| {
            memory_limit_bytes(Machine {
                cores: 2,
                memory_bytes,
            })
        };
        assert_eq!(at(24 << 30), 18_000_000_000);
        assert_eq!(at(10_000_000_000), 9_000_000_000);
        assert_eq!(at(SMALL_MACHINE_MEMORY_BYTES), 0);
    }

    #[test]
    fn a_variable_of_the_caller_is_left_alone() {
        let left = missing(settings(SMALL), |name| name == "ELEMENT_THRESHOLD");
        assert_eq!(value(&left, "ELEMENT_THRESHOLD"), None);
        assert_eq!(left.len() + 1, settings(SMALL).len());
    }
}
