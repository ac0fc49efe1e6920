//! The guest's ELF, and the verifying key by which everyone else knows it.

use std::{
    panic::{catch_unwind, AssertUnwindSafe},
    path::Path,
};

use bincode::Options;
use laws_node::panic_text;
use serde::{de::DeserializeOwned, Serialize};
use sp1_sdk::{
    blocking::{LightProver, Prover},
    HashableKey, ProvingKey, SP1VerifyingKey,
};

use crate::{
    errors::{Code, Failure},
    report::{from_hex, hex, read_file, sha256_hex, write_file},
};

/// The largest ELF that is read, in bytes; the guest has about a hundred thousand.
const ELF_BYTES_MAX: u64 = 64 << 20;

/// The largest key file that is read, in bytes; a key has about a hundred.
const VKEY_BYTES_MAX: u64 = 1 << 16;

/// The guest.
#[derive(Clone)]
pub struct Program {
    /// The file's bytes.
    pub elf: Vec<u8>,
    /// Their SHA-256 in hex.
    pub elf_sha256: String,
}

impl Program {
    /// Reads an ELF.
    ///
    /// # Errors
    /// `environment` if it cannot be read.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let elf = read_file(path, ELF_BYTES_MAX)?;
        let elf_sha256 = sha256_hex(&elf);
        Ok(Program { elf, elf_sha256 })
    }

    /// Makes the verifying key: three seconds.
    ///
    /// # Errors
    /// `environment` if SP1 does not take the ELF.
    pub fn verifying_key(&self) -> Result<SP1VerifyingKey, Failure> {
        let made = catch_unwind(AssertUnwindSafe(|| {
            LightProver::new()
                .setup(self.elf.clone().into())
                .map(|key| key.verifying_key().clone())
        }));
        match made {
            Ok(Ok(key)) => Ok(key),
            Ok(Err(error)) => Err(Failure::environment(format!("elf: {error}"))),
            Err(panic) => Err(Failure::environment(format!(
                "elf: {}",
                panic_text(&*panic)
            ))),
        }
    }
}

/// The key's hash, 32 bytes in hex: SP1's `bytes32` without its `0x`.
pub fn vkey_hex(key: &SP1VerifyingKey) -> String {
    key.bytes32().trim_start_matches("0x").to_owned()
}

/// The key's hash as a caller writes it, in the form of [`vkey_hex`].
///
/// # Errors
/// `usage` if it is not 32 bytes of hex.
pub fn parse_vkey_hex(text: &str) -> Result<String, Failure> {
    let bytes = from_hex("vkey", text)?;
    if bytes.len() != 32 {
        return Err(Failure::usage(format!(
            "vkey: {} bytes, expected 32",
            bytes.len()
        )));
    }
    Ok(hex(&bytes))
}

/// Refuses a key that is not the one named.
///
/// # Errors
/// `wrong_vkey`.
pub fn expect_vkey(found: &str, named: &str) -> Result<(), Failure> {
    if found == named {
        return Ok(());
    }
    Err(Failure::new(
        Code::WrongVkey,
        format!("vkey: the key is {found}, expected {named}"),
    ))
}

/// Reads a key file and refuses any key but the one named.
///
/// # Errors
/// `environment` if it cannot be read, `wrong_vkey` if it is no key or another one.
pub fn read_vkey(path: &Path, named: &str) -> Result<SP1VerifyingKey, Failure> {
    let bytes = read_file(path, VKEY_BYTES_MAX)?;
    let key: SP1VerifyingKey = decode(&bytes).map_err(|what| {
        Failure::new(
            Code::WrongVkey,
            format!("{}: not a verifying key: {what}", path.display()),
        )
    })?;
    expect_vkey(&vkey_hex(&key), named)?;
    Ok(key)
}

/// Writes `vkey.bin`, the key, and `vkey.txt`, its hash and a line feed, into `folder`.
///
/// # Errors
/// `environment` if they cannot be written.
pub fn write_vkey(folder: &Path, key: &SP1VerifyingKey) -> Result<(), Failure> {
    let bytes = encode(key).map_err(Failure::environment)?;
    write_file(&folder.join("vkey.bin"), &bytes)?;
    write_file(
        &folder.join("vkey.txt"),
        format!("{}\n", vkey_hex(key)).as_bytes(),
    )
}

/// SP1's encoding: bincode with integers of fixed width.
fn encoding() -> impl Options {
    bincode::DefaultOptions::new()
        .with_fixint_encoding()
        .reject_trailing_bytes()
}

/// The bytes of a value.
///
/// # Errors
/// What bincode says.
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, String> {
    encoding()
        .serialize(value)
        .map_err(|error| error.to_string())
}

/// The value of bytes, if they are its only encoding: no byte more, no other way to write it.
/// Lengths are believed no further than there are bytes, so that hostile ones allocate nothing.
///
/// # Errors
/// A line on what is wrong.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let limited = encoding().with_limit(bytes.len() as u64);
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let value: T = limited
            .deserialize(bytes)
            .map_err(|error| error.to_string())?;
        let again = encode(&value)?;
        Ok((value, again))
    }));
    let (value, again) = decoded.unwrap_or_else(|panic| Err(panic_text(&*panic)))?;
    if again != bytes {
        return Err("not the canonical encoding".to_owned());
    }
    Ok(value)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::report::tests::folder;

    /// A key that belongs to no program: all zeros.
    pub fn zero_key() -> SP1VerifyingKey {
        (1..400)
            .find_map(|count| decode(&vec![0u8; count]).ok())
            .expect("a key of zeros")
    }

    #[test]
    fn a_key_file_reads_back_under_its_own_hash_only() {
        let folder = folder("vkey");
        let key = zero_key();
        let named = vkey_hex(&key);
        write_vkey(&folder, &key).unwrap();
        let text = std::fs::read_to_string(folder.join("vkey.txt")).unwrap();
        assert_eq!(text, format!("{named}\n"));
        assert_eq!(
            vkey_hex(&read_vkey(&folder.join("vkey.bin"), &named).unwrap()),
            named
        );
        let other = format!(
            "{}{}",
            &named[..63],
            if named.ends_with('0') { "1" } else { "0" }
        );
        let refused = read_vkey(&folder.join("vkey.bin"), &other).err().unwrap();
        assert_eq!(refused.code, Code::WrongVkey);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_flipped_byte_of_a_key_file_is_another_key() {
        let folder = folder("vkeyflip");
        let key = zero_key();
        let named = vkey_hex(&key);
        let bytes = encode(&key).unwrap();
        let path = folder.join("vkey.bin");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            std::fs::write(&path, &flipped).unwrap();
            let refused = read_vkey(&path, &named).err().map(|failure| failure.code);
            assert_eq!(refused, Some(Code::WrongVkey), "byte {at}");
        }
        for wrong in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat(), &[]] {
            std::fs::write(&path, wrong).unwrap();
            assert_eq!(
                read_vkey(&path, &named).err().unwrap().code,
                Code::WrongVkey
            );
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_key_file_that_is_not_there_is_an_environment_failure() {
        let failure = read_vkey(Path::new("/nonexistent/vkey.bin"), "")
            .err()
            .unwrap();
        assert_eq!(failure.code, Code::Environment);
    }

    #[test]
    fn a_named_hash_has_32_bytes() {
        let named = "00".repeat(32);
        assert_eq!(parse_vkey_hex(&format!("0x{named}")), Ok(named.clone()));
        for wrong in [&named[2..], &format!("{named}00"), "", "vkey"] {
            assert_eq!(parse_vkey_hex(wrong).unwrap_err().code, Code::Usage);
        }
    }

    #[test]
    fn lengths_beyond_the_bytes_are_refused_before_anything_is_allocated() {
        let mut bomb = u64::MAX.to_le_bytes().to_vec();
        bomb.extend([0; 8]);
        assert!(decode::<Vec<u8>>(&bomb).is_err());
        assert!(decode::<String>(&bomb).is_err());
        assert!(decode::<Vec<u64>>(&(1u64 << 40).to_le_bytes()).is_err());
    }

    #[test]
    fn an_elf_that_is_none_is_an_environment_failure() {
        let program = Program {
            elf: vec![0x7f; 64],
            elf_sha256: String::new(),
        };
        assert_eq!(
            program.verifying_key().err().unwrap().code,
            Code::Environment
        );
    }
}
