//! `laws-check` as a program: its lines and its exit codes.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const LAWS_CHECK: &str = env!("CARGO_BIN_EXE_laws-check");

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors/laws")
        .join(name)
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(LAWS_CHECK)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("laws-check");
    // It may be gone before it has read everything.
    let _ = child.stdin.take().expect("its input").write_all(input);
    child.wait_with_output().expect("its end")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn frame(data: &[u8]) -> Vec<u8> {
    [&(data.len() as u64).to_le_bytes(), data].concat()
}

#[test]
fn files_are_told_one_by_one() {
    let names = ["valid-plain.bin", "l05-one-unit-below-the-minimum.bin"].map(vector);
    let names = names.each_ref().map(|name| name.to_str().expect("a name"));
    let lawful = run(&names[..1], b"");
    assert_eq!(lawful.status.code(), Some(0));
    assert_eq!(text(&lawful.stdout), format!("{}: ok\n", names[0]));
    for plain in [false, true] {
        let options = if plain { vec!["--plain"] } else { vec![] };
        let found = run(&[&names[..], &options].concat(), b"");
        assert_eq!(found.status.code(), Some(1));
        let second = text(&found.stdout).lines().nth(1).expect("two lines");
        assert!(
            second.starts_with(&format!("{}: L5: index ", names[1])),
            "{second}"
        );
    }
    let json = run(&[names[0], names[1], "--json"], b"");
    let lines: Vec<&str> = text(&json.stdout).lines().collect();
    let start = format!(
        "{{\"file\":\"{}\",\"verdict\":\"ok\",\"public_values\":\"0100",
        names[0]
    );
    assert!(lines[0].starts_with(&start), "{}", lines[0]);
    assert!(
        lines[1].contains("\"verdict\":\"violated\",\"law\":5,\"index\":"),
        "{}",
        lines[1]
    );
}

#[test]
fn a_stream_is_answered_frame_by_frame() {
    let [lawful, broken] = ["valid-plain.bin", "l00-s02-id-empty.bin"]
        .map(|name| fs::read(vector(name)).expect("a vector"));
    let input = [
        frame(&lawful),
        frame(&broken),
        frame(b""),
        frame(b"seven b"),
    ]
    .concat();
    let found = run(&["--stream"], &input);
    assert_eq!(found.status.code(), Some(1));
    let lines: Vec<&str> = text(&found.stdout).lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("{\"verdict\":\"ok\",\"public_values\":\""));
    assert!(lines[1].starts_with("{\"verdict\":\"violated\",\"law\":0,\"index\":2,"));
    for line in &lines[2..] {
        assert!(
            line.starts_with("{\"verdict\":\"violated\",\"law\":0,\"index\":14,"),
            "{line}"
        );
    }
    assert_eq!(run(&["--stream"], &frame(&lawful)).status.code(), Some(0));
    assert_eq!(run(&["--stream"], b"").status.code(), Some(0));
}

#[test]
fn what_cannot_be_read_is_trouble() {
    let lawful = frame(&fs::read(vector("valid-plain.bin")).expect("a vector"));
    let bomb = [&u64::MAX.to_le_bytes()[..], &[0; 64]].concat();
    for input in [&lawful[..lawful.len() - 1], &lawful[..5], &bomb] {
        let found = run(&["--stream"], input);
        assert_eq!(found.status.code(), Some(2));
        assert!(text(&found.stderr).starts_with("standard input: "));
    }
    let missing = run(&["no-such-witness.bin"], b"");
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).starts_with("no-such-witness.bin: "));
    let usages: [&[&str]; 5] = [
        &[],
        &["--plain"],
        &["--json"],
        &["--strem"],
        &["--stream", "a"],
    ];
    for arguments in usages {
        let found = run(arguments, b"");
        assert_eq!(found.status.code(), Some(2), "{arguments:?}");
        assert!(text(&found.stderr).starts_with("usage: laws-check"));
    }
}
