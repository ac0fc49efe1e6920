//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::errors::Failure;

/// Executes, proves and verifies the laws of an epoch on SP1. Results are JSON on stdout, one
/// object a line; progress and logs go to stderr. Exit codes: 0 ok, 2 usage, 10 law violated,
/// 11 guest trapped, 12 proof invalid, 13 wrong vkey, 14 out of memory, 15 environment.
#[derive(Parser)]
#[command(name = "laws-host")]
pub struct Cli {
    /// The guest's ELF; else the file that CONVEXFX_ELF names, or laws-guest.elf in that folder
    #[arg(long, global = true, value_name = "FILE")]
    pub elf: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Execute the guest on witnesses, without proofs
    Execute(Execute),
    /// Print the verifying key's hash
    Vkey(Vkey),
    /// Prove a witness
    Prove(Prove),
    /// Verify a proof; needs no ELF
    Verify(Verify),
    /// Prove for others on a Unix socket, keeping the prover warm
    Serve(Serve),
    /// Say whether everything needed is there
    Selfcheck,
}

/// `execute`
#[derive(Args)]
pub struct Execute {
    /// Witness files
    #[arg(required_unless_present = "stream", value_name = "WITNESS")]
    pub witnesses: Vec<PathBuf>,
    /// Take witnesses from stdin: each eight bytes of length, little-endian, and so many bytes
    #[arg(long, conflicts_with = "witnesses")]
    pub stream: bool,
}

/// `vkey`
#[derive(Args)]
pub struct Vkey {
    /// Write vkey.bin and vkey.txt into this folder
    #[arg(long, value_name = "FOLDER")]
    pub write: Option<PathBuf>,
}

/// `prove`
#[derive(Args)]
pub struct Prove {
    /// core or compressed
    #[arg(long)]
    pub mode: String,
    /// The witness file
    pub witness: PathBuf,
    /// Where the proof goes
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Refuse to prove under any other verifying key
    #[arg(long, value_name = "HEX")]
    pub vkey: Option<String>,
    /// Let the server on this socket prove
    #[arg(long, value_name = "SOCKET")]
    pub socket: Option<PathBuf>,
    /// End when more memory than this is held, in bytes; 0 for no limit
    #[arg(long, value_name = "BYTES")]
    pub memory_limit: Option<u64>,
}

/// `verify`
#[derive(Args)]
pub struct Verify {
    /// core or compressed
    #[arg(long)]
    pub mode: String,
    /// The proof file
    #[arg(long, value_name = "FILE")]
    pub proof: PathBuf,
    /// The verifying key file
    #[arg(long, value_name = "FILE")]
    pub vkey_file: PathBuf,
    /// The verifying key's hash
    #[arg(long, value_name = "HEX")]
    pub vkey: String,
    /// The public values
    #[arg(long, value_name = "HEX")]
    pub public_values: String,
}

/// `serve`
#[derive(Args)]
pub struct Serve {
    /// Where to listen
    #[arg(long, value_name = "SOCKET")]
    pub socket: PathBuf,
    /// Make the prover for the first proof, not before: its memory is not held until then
    #[arg(long)]
    pub cold: bool,
    /// End when more memory than this is held, in bytes; 0 for no limit
    #[arg(long, value_name = "BYTES")]
    pub memory_limit: Option<u64>,
}

/// The ELF's path: what was given, else what CONVEXFX_ELF says.
///
/// # Errors
/// `usage` if there is neither.
pub fn elf_path(given: Option<PathBuf>, variable: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let path = given
        .or(variable)
        .ok_or_else(|| Failure::usage("elf: expected --elf FILE"))?;
    Ok(if path.is_dir() {
        path.join("laws-guest.elf")
    } else {
        path
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::errors::Code;

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(line.split_whitespace()).is_ok()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_commands_of_the_contract_are_understood_and_their_neighbours_are_not() {
        assert!(parses("laws-host execute a b --elf e"));
        assert!(parses("laws-host --elf e execute --stream"));
        assert!(!parses("laws-host execute"));
        assert!(!parses("laws-host execute a --stream"));
        assert!(parses("laws-host vkey --write d"));
        assert!(parses("laws-host prove --mode core w --out p --socket s"));
        assert!(!parses("laws-host prove --mode core w"));
        assert!(!parses("laws-host prove w --out p"));
        let verify = "laws-host verify --mode core --proof p --vkey-file k --vkey 00";
        assert!(!parses(verify));
        assert!(parses(&format!("{verify} --public-values 00")));
        assert!(!parses("laws-host serve"));
        assert!(parses("laws-host serve --socket s --cold"));
        assert!(!parses("laws-host serve --socket s --memory-limit much"));
        assert!(parses("laws-host selfcheck"));
        assert!(!parses("laws-host"));
    }

    #[test]
    fn the_elf_is_a_file_or_in_a_folder() {
        let folder = std::env::temp_dir();
        let found = elf_path(None, Some(folder.clone())).unwrap();
        assert_eq!(found, folder.join("laws-guest.elf"));
        let given = PathBuf::from("/nonexistent/guest.elf");
        assert_eq!(elf_path(Some(given.clone()), Some(folder)), Ok(given));
        assert_eq!(elf_path(None, None).unwrap_err().code, Code::Usage);
    }
}
