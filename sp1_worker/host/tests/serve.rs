//! A server from outside, cold: everything but proofs, which take minutes and gigabytes.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{json, Value};

/// How long anything may take here, in seconds.
const PATIENCE_S: u64 = 30;

/// A cold server in a folder of its own; killed when the test ends.
struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    fn start(name: &str) -> Self {
        let name = format!("laws-host-serve-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let child = spawn(&folder.join("s"));
        let server = Server { child, folder };
        server.await_ready();
        server
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("s")
    }

    fn await_ready(&self) {
        let began = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(PATIENCE_S),
                "the server does not answer"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn connect(&self) -> BufReader<UnixStream> {
        let stream = UnixStream::connect(self.socket()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(PATIENCE_S)))
            .unwrap();
        BufReader::new(stream)
    }

    /// The exit code of a server that was told to end.
    fn ended(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(
                began.elapsed() < Duration::from_secs(PATIENCE_S),
                "the server does not end"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(socket: &Path) -> Child {
    let elf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../elf/laws-guest.elf");
    Command::new(env!("CARGO_BIN_EXE_laws-host"))
        .arg("--elf")
        .arg(elf)
        .args(["serve", "--cold", "--socket"])
        .arg(socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The last answer to a line.
fn ask(connection: &mut BufReader<UnixStream>, line: &str) -> Value {
    writeln!(connection.get_mut(), "{line}").unwrap();
    loop {
        let mut answer = String::new();
        connection.read_line(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        if answer["event"] != "progress" {
            return answer;
        }
    }
}

/// The line that asks for a proof of an empty witness, which breaks law 0.
fn hopeless(server: &Server) -> String {
    let witness = server.folder.join("w");
    fs::write(&witness, b"").unwrap();
    let out = server.folder.join("proof");
    json!({"op": "prove", "mode": "core", "witness": witness, "out": out}).to_string()
}

#[test]
fn it_answers_fails_requests_and_goes_on() {
    let server = Server::start("answers");
    let mode = fs::metadata(server.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut connection = server.connect();
    let pong = ask(&mut connection, r#"{"op":"ping"}"#);
    assert_eq!(
        (pong["event"].as_str(), pong["state"].as_str()),
        (Some("done"), Some("cold"))
    );
    assert_eq!(ask(&mut connection, "noise")["code"], "usage");
    let failed = ask(&mut connection, &hopeless(&server));
    assert_eq!(failed["code"], "law_violated");
    assert_eq!(failed["law"], 0);
    assert!(!server.folder.join("proof").exists());
    let missing = r#"{"op":"prove","mode":"core","witness":"/nonexistent","out":"/nonexistent"}"#;
    assert_eq!(ask(&mut connection, missing)["code"], "environment");
    assert_eq!(
        ask(&mut server.connect(), r#"{"op":"ping"}"#)["failures"],
        2
    );
}

#[test]
fn clients_that_go_away_or_talk_nonsense_end_nothing() {
    let server = Server::start("away");
    let line = hopeless(&server);
    for _ in 0..20 {
        let mut connection = server.connect();
        writeln!(connection.get_mut(), "{line}").unwrap();
    }
    let _ = server.connect().get_mut().write_all(&[0xff; 100]);
    let _ = server.connect().get_mut().write_all(&[b'x'; 100_000]);
    assert_eq!(
        ask(&mut server.connect(), r#"{"op":"ping"}"#)["event"],
        "done"
    );
}

#[test]
fn it_stops_when_told() {
    let mut server = Server::start("stop");
    let answer = ask(&mut server.connect(), r#"{"op":"stop"}"#);
    assert_eq!(answer["stopped"], true);
    assert_eq!(server.ended(), Some(0));
    assert!(!server.socket().exists());
}

#[test]
fn sigterm_ends_it_cleanly() {
    let mut server = Server::start("term");
    let id = server.child.id().to_string();
    assert!(Command::new("kill")
        .args(["-TERM", &id])
        .status()
        .unwrap()
        .success());
    assert_eq!(server.ended(), Some(0));
    assert!(!server.socket().exists());
}

#[test]
fn a_second_server_is_refused_and_a_dead_one_is_replaced() {
    let mut server = Server::start("second");
    let output = spawn(&server.socket()).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(15));
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(server.socket().exists());
    server.child = spawn(&server.socket());
    server.await_ready();
    assert_eq!(
        ask(&mut server.connect(), r#"{"op":"ping"}"#)["event"],
        "done"
    );
}

#[test]
fn the_command_line_is_a_client() {
    let server = Server::start("client");
    hopeless(&server);
    let output = Command::new(env!("CARGO_BIN_EXE_laws-host"))
        .args(["prove", "--mode", "core"])
        .arg(server.folder.join("w"))
        .arg("--out")
        .arg(server.folder.join("proof"))
        .arg("--socket")
        .arg(server.socket())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(10));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["law"], 0);
}
