//! `laws-host`: everything of ours that knows SP1. The Python side calls it; see `args`.

mod args;
mod client;
mod errors;
mod execute;
mod frames;
mod memory;
mod program;
mod progress;
mod protocol;
mod prove;
mod report;
mod selfcheck;
mod serve;
mod settings;
mod signals;
mod socket;
mod spans;
mod verify;

use std::{env, io, path::absolute, process::ExitCode};

use clap::Parser;
use serde_json::{json, Value};

use args::{Cli, Command};
use errors::{Code, Failure};
use program::Program;
use prove::{Job, Workshop};
use verify::Mode;

fn main() -> ExitCode {
    settings::apply(memory::machine());
    spans::install();
    let cli = Cli::parse();
    let is_verify = matches!(cli.command, Command::Verify(_));
    let code = run(cli).unwrap_or_else(|failure| {
        eprintln!("{failure}");
        let mut line = failure.json();
        if is_verify {
            line["valid"] = json!(false);
        }
        report::print_line(&line);
        failure.code.exit_code()
    });
    ExitCode::from(code)
}

/// Runs a command; returns its exit code.
fn run(cli: Cli) -> Result<u8, Failure> {
    let variable = env::var_os("CONVEXFX_ELF").map(Into::into);
    let program = || Program::read(&args::elf_path(cli.elf, variable)?);
    let result = match cli.command {
        Command::Execute(args) => {
            let executor = execute::Executor::new(&program()?)?;
            return match args.stream {
                true => execute::stream(&executor, io::stdin().lock()),
                false => execute::files(&executor, &args.witnesses),
            };
        }
        Command::Serve(args) => {
            let program = program()?;
            let sha256 = program.elf_sha256.clone();
            let limit = limit(args.memory_limit);
            return serve::serve(
                Workshop::new(program)?,
                sha256,
                &args.socket,
                limit,
                args.cold,
            );
        }
        Command::Vkey(args) => vkey(&program()?, &args)?,
        Command::Prove(args) => match &args.socket {
            Some(socket) => client::prove(socket, &job(&args)?)?,
            None => prove(program()?, &args)?,
        },
        Command::Verify(args) => verify(&args)?,
        Command::Selfcheck => selfcheck::selfcheck(&program()?)?,
    };
    report::print_line(&result);
    Ok(0)
}

/// The memory limit in bytes: as given, else what suits the machine.
fn limit(given: Option<u64>) -> u64 {
    given.unwrap_or_else(|| settings::memory_limit_bytes(memory::machine()))
}

fn vkey(program: &Program, args: &args::Vkey) -> Result<Value, Failure> {
    let key = program.verifying_key()?;
    if let Some(folder) = &args.write {
        program::write_vkey(folder, &key)?;
    }
    Ok(json!({"vkey": program::vkey_hex(&key), "elf_sha256": program.elf_sha256}))
}

/// The job of a command line; its paths are absolute, so that a server finds them.
fn job(args: &args::Prove) -> Result<Job, Failure> {
    let path = |path| absolute(path).map_err(|error| Failure::usage(format!("path: {error}")));
    Ok(Job {
        mode: Mode::parse(&args.mode)?,
        witness: path(&args.witness)?,
        out: path(&args.out)?,
        vkey: args
            .vkey
            .as_deref()
            .map(program::parse_vkey_hex)
            .transpose()?,
    })
}

fn prove(program: Program, args: &args::Prove) -> Result<Value, Failure> {
    let job = job(args)?;
    let limit = limit(args.memory_limit);
    memory::watch(limit, move |held| {
        let message = format!("memory: {held} bytes held, expected at most {limit}");
        let failure = Failure::new(Code::OutOfMemory, message);
        eprintln!("{failure}");
        report::print_line(&failure.json());
        failure.code.exit_code()
    });
    let progress = progress::Progress::to_stderr();
    let _heart = progress.beat();
    let proved = Workshop::new(program)?.prove(&job, &progress)?;
    Ok(json!(proved))
}

fn verify(args: &args::Verify) -> Result<Value, Failure> {
    let mode = Mode::parse(&args.mode)?;
    let vkey = program::parse_vkey_hex(&args.vkey)?;
    let public_values = report::from_hex("public-values", &args.public_values)?;
    let key = program::read_vkey(&args.vkey_file, &vkey)?;
    let proof = report::read_file(&args.proof, verify::PROOF_BYTES_MAX)?;
    verify::verify(&proof, mode, &key, &public_values)?;
    Ok(json!({
        "valid": true,
        "mode": mode.name(),
        "vkey": vkey,
        "public_values": report::hex(&public_values),
        "proof_sha256": report::sha256_hex(&proof),
        "proof_bytes": proof.len(),
    }))
}
