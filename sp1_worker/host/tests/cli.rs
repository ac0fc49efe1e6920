//! The command line from outside: exit codes, JSON, and hostile files.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// The committed guest.
fn elf() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../elf/laws-guest.elf")
}

fn host() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_laws-host"));
    command.env_remove("CONVEXFX_ELF").stdin(Stdio::null());
    command
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("laws-host-cli-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

/// The exit code and the only JSON line of a run.
fn verdict(output: &Output) -> (i32, Value) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    (
        output.status.code().unwrap(),
        serde_json::from_str(&text).unwrap(),
    )
}

#[test]
fn usage_is_2_and_a_missing_file_15() {
    let output = host().arg("execute").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let (code, line) = verdict(&host().arg("vkey").output().unwrap());
    assert_eq!((code, line["code"].as_str()), (2, Some("usage")));
    let (code, line) = verdict(&host().args(["--elf", "/none", "vkey"]).output().unwrap());
    assert_eq!((code, line["code"].as_str()), (15, Some("environment")));
}

#[test]
fn the_elf_may_come_from_the_environment() {
    let output = host()
        .env("CONVEXFX_ELF", elf().parent().unwrap())
        .arg("selfcheck")
        .output();
    let (code, line) = verdict(&output.unwrap());
    assert_eq!((code, line["ok"].as_bool()), (0, Some(true)));
    assert_eq!(line["sp1"], "6.10.0");
}

#[test]
fn an_empty_witness_breaks_law_0_as_file_in_a_stream_and_for_a_proof() {
    let folder = folder("empty");
    let witness = folder.join("w");
    fs::write(&witness, b"").unwrap();
    let with_elf = || {
        let mut command = host();
        command.arg("--elf").arg(elf());
        command
    };
    let file = with_elf().arg("execute").arg(&witness).output().unwrap();
    let (code, line) = verdict(&file);
    assert_eq!((code, line["verdict"].as_str()), (10, Some("violated")));
    assert_eq!(
        (line["law"].as_u64(), line["exit_code"].as_u64()),
        (Some(0), Some(16))
    );
    let mut child = with_elf()
        .args(["execute", "--stream"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&[0; 16]).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(10));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 2);
    let proof = folder.join("proof");
    let mut prove = with_elf();
    prove
        .args(["prove", "--mode", "core"])
        .arg(&witness)
        .arg("--out")
        .arg(&proof);
    let (code, line) = verdict(&prove.output().unwrap());
    assert_eq!((code, line["law"].as_u64()), (10, Some(0)));
    assert!(!proof.exists());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn verify_refuses_hostile_files_and_other_keys() {
    let folder = folder("verify");
    let vkey_file = elf().with_file_name("vkey.bin");
    let vkey = fs::read_to_string(elf().with_file_name("vkey.txt")).unwrap();
    let verify = |proof: &[u8], vkey: &str, vkey_file: &Path| {
        fs::write(folder.join("proof"), proof).unwrap();
        let mut command = host();
        command.args([
            "verify",
            "--mode",
            "core",
            "--public-values",
            "00",
            "--vkey",
            vkey,
        ]);
        command
            .arg("--proof")
            .arg(folder.join("proof"))
            .arg("--vkey-file")
            .arg(vkey_file);
        verdict(&command.output().unwrap())
    };
    for hostile in [&[][..], &[0xff; 64], &[0; 4096], &[1; 4096]] {
        let (code, line) = verify(hostile, vkey.trim(), &vkey_file);
        assert_eq!((code, line["valid"].as_bool()), (12, Some(false)));
        assert_eq!(line["code"], "proof_invalid");
    }
    let (code, _) = verify(&[], &"11".repeat(32), &vkey_file);
    assert_eq!(code, 13);
    let other = folder.join("vkey.bin");
    let mut bytes = fs::read(&vkey_file).unwrap();
    bytes[0] ^= 1;
    fs::write(&other, bytes).unwrap();
    assert_eq!(verify(&[], vkey.trim(), &other).0, 13);
    assert_eq!(verify(&[], "11", &vkey_file).0, 2);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_committed_key_is_that_of_the_committed_elf() {
    let (code, line) = verdict(&host().arg("--elf").arg(elf()).arg("vkey").output().unwrap());
    let named = fs::read_to_string(elf().with_file_name("vkey.txt")).unwrap();
    assert_eq!((code, line["vkey"].as_str()), (0, Some(named.trim())));
}
