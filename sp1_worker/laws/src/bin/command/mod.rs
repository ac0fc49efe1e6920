//! What both commands do: read witnesses, hold each to the laws, say what was found.

use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::process::ExitCode;

use convexfx_laws::public_values::PublicValues;
use convexfx_laws::Violation;

/// Holds the witness in these words, of so many bytes, to the laws.
pub type Check<'a> = &'a dyn Fn(&[u64], usize) -> Result<PublicValues, Violation>;

const OK: u8 = 0;
const VIOLATED: u8 = 1;
const TROUBLE: u8 = 2;
const STREAM: &str = "--stream";
const JSON: &str = "--json";

/// Runs the command; exit code 0 if all laws hold, 1 if one does not, 2 for usage and I/O.
pub fn run(usage: &str, arguments: &[String], check: Check<'_>) -> ExitCode {
    let (options, files): (Vec<_>, Vec<_>) = arguments
        .iter()
        .partition(|argument| argument.starts_with('-'));
    let options: Vec<&str> = options.into_iter().map(String::as_str).collect();
    let found = match options[..] {
        [STREAM] if files.is_empty() => stream(check),
        [] if !files.is_empty() => each(&files, false, check),
        [JSON] if !files.is_empty() => each(&files, true, check),
        _ => return trouble(usage),
    };
    found.map_or_else(|error| trouble(&error), ExitCode::from)
}

/// Says what is wrong; exit code 2.
pub fn trouble(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::from(TROUBLE)
}

/// One line for each file.
fn each(files: &[&String], json: bool, check: Check<'_>) -> Result<u8, String> {
    let (mut out, mut exit) = (io::stdout().lock(), OK);
    for file in files {
        let data = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
        let verdict = verdict(&data, check);
        exit = exit.max(u8::from(verdict.is_err()) * VIOLATED);
        let line = match (json, &verdict) {
            (true, _) => format!("{{\"file\":{},{}}}", quoted(file), fields(&verdict)),
            (false, Ok(_)) => format!("{file}: ok"),
            (false, Err(violation)) => format!("{file}: {violation}"),
        };
        writeln!(out, "{line}").map_err(|error| format!("standard output: {error}"))?;
    }
    Ok(exit)
}

/// Frames from standard input, each a length (u64, little-endian) and that many bytes; one line of
/// JSON for each.
fn stream(check: Check<'_>) -> Result<u8, String> {
    let (mut input, mut out) = (BufReader::new(io::stdin().lock()), io::stdout().lock());
    let mut exit = OK;
    while let Some(data) = frame(&mut input).map_err(|error| format!("standard input: {error}"))? {
        let verdict = verdict(&data, check);
        exit = exit.max(u8::from(verdict.is_err()) * VIOLATED);
        let line = format!("{{{}}}\n", fields(&verdict));
        let written = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| format!("standard output: {error}"))?;
    }
    Ok(exit)
}

/// The next frame, None at the end of the stream.
fn frame(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    input.by_ref().take(8).read_to_end(&mut head)?;
    let Ok(head) = <[u8; 8]>::try_from(head.as_slice()) else {
        return if head.is_empty() {
            Ok(None)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        };
    };
    let (length, mut data) = (u64::from_le_bytes(head), Vec::new());
    input.by_ref().take(length).read_to_end(&mut data)?;
    if data.len() as u64 == length {
        Ok(Some(data))
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn verdict(data: &[u8], check: Check<'_>) -> Result<PublicValues, Violation> {
    let (whole, rest) = data.as_chunks::<8>();
    let mut words: Vec<u64> = whole.iter().map(|word| u64::from_le_bytes(*word)).collect();
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        words.push(u64::from_le_bytes(last));
    }
    check(&words, data.len())
}

/// The fields of a verdict's JSON object.
fn fields(verdict: &Result<PublicValues, Violation>) -> String {
    match verdict {
        Ok(values) => {
            let bytes = values.to_bytes();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("\"verdict\":\"ok\",\"public_values\":\"{hex}\"")
        }
        Err(Violation {
            law,
            index,
            observed,
            bound,
        }) => format!(
            "\"verdict\":\"violated\",\"law\":{law},\"index\":{index},\
             \"observed\":\"{observed}\",\"bound\":\"{bound}\""
        ),
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control < ' ' => quoted += &format!("\\u{:04x}", u32::from(control)),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}
