//! A prover that stays: one process on a Unix socket that keeps its keys between proofs.
//!
//! One proof at a time; further requests wait, or are told `busy` if they ask not to. A client
//! that goes away ends nothing: its proof is finished and written. A request that fails ends
//! nothing either. When the process runs out of memory it ends, and its clients see their
//! connection closed; whoever watches it starts another.

use std::{
    fs,
    io::{BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc, Arc, Mutex, MutexGuard, PoisonError, TryLockError as Taken,
    },
    thread,
    time::Duration,
};

use serde_json::{json, Value};

use crate::{
    errors::{Code, Failure},
    memory,
    progress::{lock, Progress},
    protocol::{done, failed, next_line, parse, Request},
    prove::{Job, Proved, Workshop},
    signals,
    socket::{bind, claim},
};

/// Connections at once.
const CONNECTIONS_MAX: usize = 64;

/// A client that takes no answer for so long is gone, in seconds.
const WRITE_TIMEOUT_S: u64 = 5;

/// The answers' way to one client.
struct Client {
    stream: Mutex<UnixStream>,
    gone: AtomicBool,
}

impl Client {
    /// Sends a line; returns whether the client is still there.
    fn send(&self, line: &Value) -> bool {
        if self.gone.load(Ordering::Relaxed) {
            return false;
        }
        let sent = lock(&self.stream).write_all(format!("{line}\n").as_bytes());
        if sent.is_err() {
            self.gone.store(true, Ordering::Relaxed);
        }
        sent.is_ok()
    }
}

/// What `ping` tells.
#[derive(Default)]
struct State {
    /// `cold`, `starting`, `ready` or `proving`.
    phase: &'static str,
    vkey: Option<String>,
    start_seconds: Option<f64>,
    start_failure: Option<String>,
    proofs: u64,
    failures: u64,
    client: Option<Arc<Client>>,
}

/// The server.
struct Server {
    workshop: Mutex<Workshop>,
    elf_sha256: String,
    state: Mutex<State>,
    connections: AtomicUsize,
    socket: PathBuf,
}

/// Serves until it is told to stop; does not return unless it cannot begin. A cold server makes
/// its prover for the first proof, another one before anyone asks.
///
/// # Errors
/// `environment` if the socket cannot be had.
pub fn serve(
    workshop: Workshop,
    elf_sha256: String,
    socket: &Path,
    memory_limit_bytes: u64,
    is_cold: bool,
) -> Result<u8, Failure> {
    signals::hold();
    // Held as long as the process lives.
    let _lock = claim(socket)?;
    let listener = bind(socket)?;
    let server = Arc::new(Server {
        workshop: Mutex::new(workshop),
        elf_sha256,
        state: Mutex::new(State {
            phase: if is_cold { "cold" } else { "starting" },
            ..State::default()
        }),
        connections: AtomicUsize::new(0),
        socket: socket.to_owned(),
    });
    let (ending, dying, warming) = (server.clone(), server.clone(), server.clone());
    thread::spawn(move || {
        signals::wait();
        ending.end(0);
    });
    memory::watch(memory_limit_bytes, move |held| {
        dying.last_words(held, memory_limit_bytes)
    });
    if !is_cold {
        let (begun, wait) = mpsc::channel();
        thread::spawn(move || warming.warm_up(&begun));
        // No request comes before the prover's start, which then belongs to the first of them.
        let _ = wait.recv();
    }
    eprintln!("serving on {}", socket.display());
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => server.clone().accept(stream),
            // Out of file descriptors, most likely: wait for some to be closed.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
    Ok(0)
}

impl Server {
    /// Ends the process with `code`.
    fn end(&self, code: u8) -> ! {
        let _ = fs::remove_file(&self.socket);
        memory::end_children();
        process::exit(i32::from(code))
    }

    /// Tells the client of the moment that memory ran out; returns the exit code.
    fn last_words(&self, held: u64, limit: u64) -> u8 {
        let message = format!("memory: {held} bytes held, expected at most {limit}");
        let failure = Failure::new(Code::OutOfMemory, message);
        eprintln!("{failure}");
        if let Ok(state) = self.state.try_lock() {
            state
                .client
                .as_ref()
                .map(|client| client.send(&failed(&failure)));
        }
        let _ = fs::remove_file(&self.socket);
        failure.code.exit_code()
    }

    /// Makes the prover before anyone asks; tells `begun` when requests have to wait for it.
    fn warm_up(&self, begun: &mpsc::Sender<()>) {
        let mut workshop = self.workshop();
        let _ = begun.send(());
        let started = workshop.start(&Progress::to_stderr());
        let mut state = lock(&self.state);
        state.phase = "ready";
        match started {
            Ok((seconds, vkey)) => {
                state.start_seconds = Some(seconds);
                state.vkey = Some(vkey);
            }
            // The next request tries again and tells its client.
            Err(failure) => state.start_failure = Some(failure.to_string()),
        }
    }

    /// The workshop; also after a panic, since a prover that panicked has been dropped.
    fn workshop(&self) -> MutexGuard<'_, Workshop> {
        self.workshop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one connection on a thread of its own.
    fn accept(self: Arc<Self>, stream: UnixStream) {
        let _ = stream.set_write_timeout(Some(Duration::from_secs(WRITE_TIMEOUT_S)));
        let Ok(answers) = stream.try_clone() else {
            return;
        };
        let client = Arc::new(Client {
            stream: Mutex::new(answers),
            gone: AtomicBool::new(false),
        });
        if self.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS_MAX {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            client.send(&failed(&Failure::new(
                Code::Busy,
                "server: too many connections",
            )));
            return;
        }
        thread::spawn(move || {
            let mut lines = BufReader::new(stream);
            while let Ok(Some(line)) = next_line(&mut lines) {
                let answer = match parse(&line) {
                    Ok(request) => self.answer(request, &client),
                    Err(failure) => failed(&failure),
                };
                if !client.send(&answer) {
                    break;
                }
            }
            self.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// The last answer to a request.
    fn answer(&self, request: Request, client: &Arc<Client>) -> Value {
        match request {
            Request::Ping => done(self.ping()),
            Request::Stop => {
                client.send(&done(json!({"stopped": true})));
                self.end(0)
            }
            Request::Prove(job, wait) => match self.prove(&job, wait, client) {
                Ok(proved) => done(json!(proved)),
                Err(failure) => failed(&failure),
            },
        }
    }

    /// How the server is.
    fn ping(&self) -> Value {
        let state = lock(&self.state);
        json!({
            "state": state.phase,
            "process": process::id(),
            "vkey": state.vkey,
            "elf_sha256": self.elf_sha256,
            "start_seconds": state.start_seconds,
            "start_failure": state.start_failure,
            "proofs": state.proofs,
            "failures": state.failures,
            "memory_bytes": memory::held_bytes(),
        })
    }

    /// Proves when it is this request's turn.
    fn prove(&self, job: &Job, wait: bool, client: &Arc<Client>) -> Result<Proved, Failure> {
        let reader = client.clone();
        let progress = Progress::new(move |line| reader.send(line));
        let _heart = progress.beat();
        progress.begun("queue");
        let mut workshop = self.turn(wait)?;
        if !progress.begun("turn") {
            return Err(Failure::new(
                Code::Busy,
                "client: it went away before its turn",
            ));
        }
        self.set_phase("proving", Some(client.clone()));
        let made = workshop.prove(job, &progress);
        self.set_phase("ready", None);
        let mut state = lock(&self.state);
        match &made {
            Ok(proved) => {
                state.proofs += 1;
                state.start_seconds.get_or_insert(proved.seconds.start);
                state.vkey = Some(proved.vkey.clone());
            }
            Err(_) => state.failures += 1,
        }
        made
    }

    /// The workshop when it is free. A server that only makes its prover is not busy: whoever
    /// does not want to wait for others waits for that.
    fn turn(&self, wait: bool) -> Result<MutexGuard<'_, Workshop>, Failure> {
        if !wait {
            match self.workshop.try_lock() {
                Ok(workshop) => return Ok(workshop),
                Err(Taken::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
                Err(Taken::WouldBlock) if lock(&self.state).phase == "proving" => {
                    return Err(Failure::new(
                        Code::Busy,
                        "server: it proves for another client",
                    ));
                }
                Err(Taken::WouldBlock) => {}
            }
        }
        Ok(self.workshop())
    }

    fn set_phase(&self, phase: &'static str, client: Option<Arc<Client>>) {
        let mut state = lock(&self.state);
        state.phase = phase;
        state.client = client;
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;

    use super::*;

    #[test]
    fn a_client_that_went_away_is_noticed_and_never_written_to_again() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let client = Client {
            stream: Mutex::new(ours),
            gone: AtomicBool::new(false),
        };
        assert!(client.send(&json!({"event": "progress"})));
        let mut line = String::new();
        BufReader::new(&theirs).read_line(&mut line).unwrap();
        assert_eq!(line, "{\"event\":\"progress\"}\n");
        drop(theirs);
        assert!(!client.send(&json!({})));
        assert!(client.gone.load(Ordering::Relaxed));
    }
}
