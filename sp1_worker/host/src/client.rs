//! The other end of the socket: `prove --socket`.

use std::{
    io::{BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
};

use serde_json::Value;

use crate::{
    errors::Failure,
    protocol::{next_line, parse_answer, prove_line, Answer},
    prove::Job,
};

/// Has a server prove; its progress goes to stderr.
///
/// # Errors
/// What the server says; `environment` if it cannot be reached or goes away.
pub fn prove(socket: &Path, job: &Job) -> Result<Value, Failure> {
    let told = |what: &dyn std::fmt::Display| {
        Failure::environment(format!("server at {}: {what}", socket.display()))
    };
    let stream = UnixStream::connect(socket).map_err(|error| told(&error))?;
    writeln!(&stream, "{}", prove_line(job, true)).map_err(|error| told(&error))?;
    let mut lines = BufReader::new(&stream);
    loop {
        let line = next_line(&mut lines).map_err(|error| told(&error))?;
        let line = line.ok_or_else(|| told(&"it ended before the proof was made"))?;
        match parse_answer(&line)? {
            Answer::Progress(line) => eprintln!("{line}"),
            Answer::Done(result) => return Ok(result),
            Answer::Failed(failure) => return Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::net::UnixListener, path::PathBuf, thread};

    use super::*;
    use crate::{errors::Code, report::tests::folder, verify::Mode};

    fn job() -> Job {
        Job {
            mode: Mode::Core,
            witness: "/w".into(),
            out: "/p".into(),
            vkey: None,
        }
    }

    /// What the client makes of a server that says `answers` and goes away.
    fn against(name: &str, answers: &'static str) -> Result<Value, Failure> {
        let folder = folder(name);
        let socket: PathBuf = folder.join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let asked = next_line(&mut lines).unwrap().unwrap();
            stream.write_all(answers.as_bytes()).unwrap();
            asked
        });
        let result = prove(&socket, &job());
        assert_eq!(server.join().unwrap(), prove_line(&job(), true).to_string());
        fs::remove_dir_all(folder).unwrap();
        result
    }

    #[test]
    fn the_result_comes_after_the_progress() {
        let answers = "{\"event\":\"progress\"}\n{\"event\":\"done\",\"cycles\":7}\n";
        assert_eq!(
            against("done", answers).unwrap(),
            serde_json::json!({"cycles": 7})
        );
    }

    #[test]
    fn a_failure_of_the_server_is_ours() {
        let answers = "{\"event\":\"failed\",\"code\":\"guest_trapped\",\"message\":\"m\"}\n";
        assert_eq!(
            against("failed", answers).unwrap_err().code,
            Code::GuestTrapped
        );
    }

    #[test]
    fn a_server_that_goes_away_is_an_environment_failure() {
        let failure = against("gone", "{\"event\":\"progress\"}\n").unwrap_err();
        assert_eq!(failure.code, Code::Environment);
        assert!(failure.message.contains("it ended before"));
        let nobody = prove(Path::new("/nonexistent/s"), &job()).unwrap_err();
        assert_eq!(nobody.code, Code::Environment);
    }
}
