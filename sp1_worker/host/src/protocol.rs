//! What client and server say to each other: one JSON object a line.
//!
//! Requests: `{"op":"ping"}`, `{"op":"stop"}` and
//! `{"op":"prove","mode","witness","out","vkey"?,"wait"?}`; paths are the server's. With
//! `"wait": false` a server that proves for another client answers `busy` at once; otherwise the
//! request waits its turn.
//!
//! Answers: any number of `{"event":"progress",...}`, then one `{"event":"done",...}` or
//! `{"event":"failed","code","message","law"?}`.

use std::{
    io::{self, BufRead, Read},
    path::PathBuf,
};

use serde::Deserialize;
use serde_json::{json, Value};

use crate::{
    errors::{Code, Failure},
    program::parse_vkey_hex,
    prove::Job,
    verify::Mode,
};

/// The longest line that is read, in bytes.
pub const LINE_BYTES_MAX: u64 = 64 << 10;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// How is the server?
    Ping,
    /// End the server.
    Stop,
    /// Make a proof; wait for others first or not.
    Prove(Job, bool),
}

/// A request as it is written.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Wire {
    Ping {},
    Stop {},
    Prove {
        mode: String,
        witness: PathBuf,
        out: PathBuf,
        vkey: Option<String>,
        #[serde(default = "yes")]
        wait: bool,
    },
}

fn yes() -> bool {
    true
}

/// Reads one request.
///
/// # Errors
/// `usage` if it is not one of the three, or a field is missing, unknown or wrong.
pub fn parse(line: &str) -> Result<Request, Failure> {
    let wire: Wire =
        serde_json::from_str(line).map_err(|error| Failure::usage(format!("request: {error}")))?;
    match wire {
        Wire::Ping {} => Ok(Request::Ping),
        Wire::Stop {} => Ok(Request::Stop),
        Wire::Prove {
            mode,
            witness,
            out,
            vkey,
            wait,
        } => {
            for (field, path) in [("witness", &witness), ("out", &out)] {
                if !path.is_absolute() {
                    return Err(Failure::usage(format!(
                        "{field}: expected an absolute path"
                    )));
                }
            }
            let vkey = vkey.as_deref().map(parse_vkey_hex).transpose()?;
            Ok(Request::Prove(
                Job {
                    mode: Mode::parse(&mode)?,
                    witness,
                    out,
                    vkey,
                },
                wait,
            ))
        }
    }
}

/// A job as the line that asks for it.
pub fn prove_line(job: &Job, wait: bool) -> Value {
    let mut line = json!({
        "op": "prove",
        "mode": job.mode.name(),
        "witness": job.witness,
        "out": job.out,
        "wait": wait,
    });
    if let Some(vkey) = &job.vkey {
        line["vkey"] = json!(vkey);
    }
    line
}

/// The last answer to a request that failed.
pub fn failed(failure: &Failure) -> Value {
    let mut line = failure.json();
    line["event"] = json!("failed");
    line
}

/// The last answer to a request that succeeded: `event` and the fields of `result`.
pub fn done(result: Value) -> Value {
    let mut line = result;
    line["event"] = json!("done");
    line
}

/// An answer as the client reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// More will follow.
    Progress(Value),
    /// The result.
    Done(Value),
    /// What went wrong.
    Failed(Failure),
}

/// Reads one answer.
///
/// # Errors
/// `environment` if it is none.
pub fn parse_answer(line: &str) -> Result<Answer, Failure> {
    let strange = || Failure::environment("server: an answer that is none");
    let mut value: Value = serde_json::from_str(line).map_err(|_| strange())?;
    match value["event"].as_str() {
        Some("progress") => Ok(Answer::Progress(value)),
        Some("done") => {
            value.as_object_mut().map(|fields| fields.remove("event"));
            Ok(Answer::Done(value))
        }
        Some("failed") => {
            let code = value["code"]
                .as_str()
                .and_then(Code::from_name)
                .ok_or_else(strange)?;
            let message = value["message"].as_str().unwrap_or_default().to_owned();
            let law = value["law"].as_u64().and_then(|law| u8::try_from(law).ok());
            Ok(Answer::Failed(Failure { code, message, law }))
        }
        _ => Err(strange()),
    }
}

/// The next line of at most [`LINE_BYTES_MAX`] bytes; none at the end.
///
/// # Errors
/// `InvalidData` if it is longer, cut or no text; what reading says.
pub fn next_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    input.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
    match line.pop() {
        None => Ok(None),
        Some('\n') => Ok(Some(line)),
        Some(_) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a line too long or cut",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROVE: &str = r#"{"op":"prove","mode":"core","witness":"/w","out":"/p"}"#;

    fn job() -> Job {
        Job {
            mode: Mode::Core,
            witness: "/w".into(),
            out: "/p".into(),
            vkey: None,
        }
    }

    #[test]
    fn the_three_requests_are_read() {
        assert_eq!(parse(r#"{"op":"ping"}"#), Ok(Request::Ping));
        assert_eq!(parse(r#"{"op":"stop"}"#), Ok(Request::Stop));
        assert_eq!(parse(PROVE), Ok(Request::Prove(job(), true)));
    }

    #[test]
    fn a_job_reads_back_from_its_line() {
        let vkey = Some("ab".repeat(32));
        let job = Job {
            mode: Mode::Compressed,
            vkey,
            ..job()
        };
        let line = prove_line(&job, false).to_string();
        assert_eq!(parse(&line), Ok(Request::Prove(job, false)));
    }

    #[test]
    fn everything_else_is_refused_as_usage() {
        let wrong = [
            "",
            "ping",
            "[]",
            "null",
            r#"{"op":"prove"}"#,
            r#"{"op":"Ping"}"#,
            r#"{"op":"ping","more":1}"#,
            r#"{"op":"prove","mode":"gpu","witness":"/w","out":"/p"}"#,
            r#"{"op":"prove","mode":"core","witness":"w","out":"/p"}"#,
            r#"{"op":"prove","mode":"core","witness":"/w","out":"p"}"#,
            r#"{"op":"prove","mode":"core","witness":"/w","out":"/p","vkey":"00"}"#,
            r#"{"op":"prove","mode":"core","witness":"/w","out":"/p","wait":1}"#,
            r#"{"op":"prove","mode":"core","witness":7,"out":"/p"}"#,
        ];
        for line in wrong {
            assert_eq!(parse(line).unwrap_err().code, Code::Usage, "{line}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(parse(&deep).unwrap_err().code, Code::Usage);
    }

    #[test]
    fn answers_read_back() {
        let failure = Failure {
            law: Some(5),
            ..Failure::new(Code::LawViolated, "law 5")
        };
        let read = parse_answer(&failed(&failure).to_string());
        assert_eq!(read, Ok(Answer::Failed(failure)));
        let read = parse_answer(&done(json!({"mode": "core"})).to_string());
        assert_eq!(read, Ok(Answer::Done(json!({"mode": "core"}))));
        let progress = json!({"event": "progress", "stage": "start"});
        assert_eq!(
            parse_answer(&progress.to_string()),
            Ok(Answer::Progress(progress))
        );
        for strange in [
            "",
            "{}",
            r#"{"event":"failed","code":"odd"}"#,
            r#"{"event":"other"}"#,
        ] {
            assert_eq!(parse_answer(strange).unwrap_err().code, Code::Environment);
        }
    }

    #[test]
    fn lines_are_bounded_and_whole() {
        let mut input = &b"one\n\ntwo\n"[..];
        let mut next = || next_line(&mut input).unwrap();
        assert_eq!(next().as_deref(), Some("one"));
        assert_eq!(next().as_deref(), Some(""));
        assert_eq!(next().as_deref(), Some("two"));
        assert_eq!(next(), None);
        assert!(next_line(&mut &b"cut"[..]).is_err());
        assert!(next_line(&mut &b"\xff\n"[..]).is_err());
        let long = vec![b'x'; usize::try_from(LINE_BYTES_MAX).unwrap() + 1];
        assert!(next_line(&mut &long[..]).is_err());
    }
}
