//! Progress of a proof: its stages as JSON lines, and the seconds each took.
//!
//! `{"event":"progress","stage":"shard","state":"begun","seconds":48.1}`: seconds since the
//! request began. States are `begun`, `done` and, every few seconds, `running` with the memory
//! held.

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Mutex, PoisonError,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{json, Value};

use crate::memory;

/// How often a sign of life is sent, in milliseconds.
const HEARTBEAT_PERIOD_MS: u64 = 5000;

/// How often the heart looks whether it may stop, in milliseconds.
const HEARTBEAT_CHECK_MS: u64 = 100;

/// Takes the lines; returns whether anyone still reads them.
pub type Sink = dyn Fn(&Value) -> bool + Send + Sync;

/// The progress of one request.
#[derive(Clone)]
pub struct Progress {
    sink: Arc<Sink>,
    began: Instant,
    stage: Arc<Mutex<&'static str>>,
    first_shard: Arc<Mutex<Option<Instant>>>,
}

impl Progress {
    /// Progress that goes to `sink`, counted from now.
    pub fn new(sink: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        Progress {
            sink: Arc::new(sink),
            began: Instant::now(),
            stage: Arc::new(Mutex::new("begin")),
            first_shard: Arc::default(),
        }
    }

    /// Progress as lines on stderr.
    pub fn to_stderr() -> Self {
        Progress::new(|line| {
            eprintln!("{line}");
            true
        })
    }

    /// Tells that a stage has begun; returns whether anyone still listens.
    pub fn begun(&self, stage: &'static str) -> bool {
        *lock(&self.stage) = stage;
        if stage == "shard" {
            lock(&self.first_shard).get_or_insert_with(Instant::now);
        }
        self.tell(stage, "begun")
    }

    /// Tells that a stage is done.
    pub fn done(&self, stage: &'static str) {
        self.tell(stage, "done");
    }

    /// Runs one stage and tells its begin and its end; returns its result and seconds.
    pub fn stage<T>(&self, stage: &'static str, work: impl FnOnce() -> T) -> (T, f64) {
        self.begun(stage);
        let began = Instant::now();
        let result = work();
        self.done(stage);
        (result, began.elapsed().as_secs_f64())
    }

    /// When the first shard began to be proved: proving proper.
    pub fn first_shard(&self) -> Option<Instant> {
        *lock(&self.first_shard)
    }

    /// Sends signs of life until the returned heart is dropped.
    pub fn beat(&self) -> Heart {
        let stop = Arc::new(AtomicBool::new(false));
        let (progress, seen) = (self.clone(), stop.clone());
        let thread = thread::spawn(move || {
            let mut last = Instant::now();
            while !seen.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(HEARTBEAT_CHECK_MS));
                if last.elapsed() >= Duration::from_millis(HEARTBEAT_PERIOD_MS) {
                    last = Instant::now();
                    let stage = *lock(&progress.stage);
                    progress.tell(stage, "running");
                }
            }
        });
        Heart {
            stop,
            thread: Some(thread),
        }
    }

    fn tell(&self, stage: &str, state: &str) -> bool {
        let seconds = (self.began.elapsed().as_secs_f64() * 1e3).round() / 1e3;
        let mut line =
            json!({"event": "progress", "stage": stage, "state": state, "seconds": seconds});
        if state == "running" {
            line["memory_bytes"] = json!(memory::held_bytes());
        }
        (self.sink)(&line)
    }
}

/// Signs of life; they end when it is dropped.
pub struct Heart {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The value of a mutex, also after a panic: what these mutexes guard is whole at any time.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Progress whose lines are kept.
    pub fn kept() -> (Progress, Arc<Mutex<Vec<Value>>>) {
        let lines: Arc<Mutex<Vec<Value>>> = Arc::default();
        let sink = lines.clone();
        let progress = Progress::new(move |line| {
            lock(&sink).push(line.clone());
            true
        });
        (progress, lines)
    }

    #[test]
    fn a_stage_tells_its_begin_and_its_end() {
        let (progress, lines) = kept();
        let (result, seconds) = progress.stage("verify", || 7);
        assert_eq!(result, 7);
        assert!(seconds >= 0.0);
        let lines = lock(&lines);
        let states: Vec<&str> = lines
            .iter()
            .map(|line| line["state"].as_str().unwrap())
            .collect();
        assert_eq!(states, ["begun", "done"]);
        assert!(lines
            .iter()
            .all(|line| line["event"] == "progress" && line["stage"] == "verify"));
    }

    #[test]
    fn only_the_first_shard_is_the_begin_of_proving() {
        let (progress, _) = kept();
        progress.begun("setup");
        assert!(progress.first_shard().is_none());
        progress.begun("shard");
        let first = progress.first_shard().unwrap();
        progress.begun("shard");
        assert_eq!(progress.first_shard(), Some(first));
    }

    #[test]
    fn a_reader_that_went_away_is_noticed() {
        assert!(!Progress::new(|_| false).begun("start"));
    }

    #[test]
    fn a_heart_stops_when_it_is_dropped() {
        let (progress, lines) = kept();
        drop(progress.beat());
        assert!(lock(&lines).is_empty());
    }
}
