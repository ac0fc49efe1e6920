//! What a stranger needs to believe a proof: the proof, the key, the public values. No ELF.

use std::{
    fmt,
    panic::{catch_unwind, AssertUnwindSafe},
    sync::LazyLock,
};

use laws_node::panic_text;
use sp1_sdk::{
    blocking::{LightProver, Prover},
    SP1Proof, SP1ProofWithPublicValues, SP1PublicValues, SP1VerifyingKey, SP1_CIRCUIT_VERSION,
};

use crate::{errors::Failure, program::decode, report::hex};

/// The largest proof that is read, in bytes; a core proof has one and a half million a shard, a
/// compressed one a million and a quarter altogether.
pub const PROOF_BYTES_MAX: u64 = 128 << 20;

/// SP1's verifier; a third of a second to make.
static VERIFIER: LazyLock<LightProver> = LazyLock::new(LightProver::new);

/// The kinds of proof that this host makes and believes. SP1's mock proofs are no kind of their
/// own: they are core proofs without a shard or compressed proofs of nothing, and are refused as
/// those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A proof a shard: grows with the epoch.
    Core,
    /// One proof of constant size.
    Compressed,
}

impl Mode {
    /// The mode of a name.
    ///
    /// # Errors
    /// `usage` for any other name.
    pub fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "core" => Ok(Mode::Core),
            "compressed" => Ok(Mode::Compressed),
            _ => Err(Failure::usage(format!(
                "mode: {name:?}, expected core or compressed"
            ))),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Core => "core",
            Mode::Compressed => "compressed",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The mode whose kind of proof `proof` is; none for kinds that are not ours.
fn mode_of(proof: &SP1Proof) -> Option<Mode> {
    match proof {
        SP1Proof::Core(_) => Some(Mode::Core),
        SP1Proof::Compressed(_) => Some(Mode::Compressed),
        SP1Proof::Plonk(_) | SP1Proof::Groth16(_) => None,
    }
}

/// Decodes a proof file and compares what needs no cryptography: encoding, version, kind and
/// public values.
///
/// # Errors
/// `proof_invalid`, naming what differs.
fn read(
    bytes: &[u8],
    mode: Mode,
    public_values: &[u8],
) -> Result<SP1ProofWithPublicValues, Failure> {
    let proof: SP1ProofWithPublicValues =
        decode(bytes).map_err(|what| Failure::invalid(format!("proof: {what}")))?;
    if proof.sp1_version != SP1_CIRCUIT_VERSION {
        let found: String = proof.sp1_version.chars().take(32).collect();
        let message = format!("proof: circuit version {found:?}, expected {SP1_CIRCUIT_VERSION}");
        return Err(Failure::invalid(message));
    }
    if proof.tee_proof.is_some() {
        return Err(Failure::invalid(
            "proof: an enclave's signature, expected none",
        ));
    }
    if mode_of(&proof.proof) != Some(mode) {
        let found = mode_of(&proof.proof).map_or("of another kind", Mode::name);
        return Err(Failure::invalid(format!(
            "proof: it is {found}, expected {mode}"
        )));
    }
    if proof.public_values.as_slice() != public_values {
        let found =
            hex(&proof.public_values.as_slice()[..proof.public_values.as_slice().len().min(32)]);
        let message = format!("public values: the proof's begin with {found} and differ");
        return Err(Failure::invalid(message));
    }
    // The proof is judged with the caller's own public values in it, not with those it brought.
    let public_values = SP1PublicValues::from(public_values);
    Ok(SP1ProofWithPublicValues {
        public_values,
        ..proof
    })
}

/// Verifies the bytes of a proof file against key, mode and public values. Only a proof of a run
/// that ended with exit code 0 is believed.
///
/// # Errors
/// `proof_invalid`; whatever the bytes are, it does not panic.
pub fn verify(
    bytes: &[u8],
    mode: Mode,
    key: &SP1VerifyingKey,
    public_values: &[u8],
) -> Result<(), Failure> {
    let proof = read(bytes, mode, public_values)?;
    let verified = catch_unwind(AssertUnwindSafe(|| VERIFIER.verify(&proof, key, None)));
    match verified {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::invalid(format!("proof: {error}"))),
        Err(panic) => Err(Failure::invalid(format!("proof: {}", panic_text(&*panic)))),
    }
}

#[cfg(test)]
mod tests {
    use sp1_sdk::SP1ProofMode;

    use super::*;
    use crate::{
        errors::Code,
        program::{encode, tests::zero_key},
    };

    const VALUES: [u8; 8] = [7; 8];

    fn mock(kind: SP1ProofMode, version: &str) -> SP1ProofWithPublicValues {
        let values = SP1PublicValues::from(&VALUES);
        SP1ProofWithPublicValues::create_mock_proof(&zero_key(), values, kind, version)
    }

    fn refusal(bytes: &[u8], mode: Mode) -> String {
        let failure = verify(bytes, mode, &zero_key(), &VALUES).unwrap_err();
        assert_eq!(failure.code, Code::ProofInvalid);
        failure.message
    }

    #[test]
    fn a_mode_is_one_of_two_names() {
        for mode in [Mode::Core, Mode::Compressed] {
            assert_eq!(Mode::parse(mode.name()), Ok(mode));
        }
        for wrong in ["Core", "gpu", "mock", ""] {
            assert_eq!(Mode::parse(wrong).unwrap_err().code, Code::Usage);
        }
    }

    #[test]
    fn mock_proofs_are_refused() {
        let core = encode(&mock(SP1ProofMode::Core, SP1_CIRCUIT_VERSION)).unwrap();
        assert!(refusal(&core, Mode::Core).contains("Empty core proof"));
        let compressed = encode(&mock(SP1ProofMode::Compressed, SP1_CIRCUIT_VERSION)).unwrap();
        refusal(&compressed, Mode::Compressed);
    }

    #[test]
    fn kinds_that_are_not_ours_are_refused_in_every_mode() {
        for kind in [SP1ProofMode::Plonk, SP1ProofMode::Groth16] {
            let bytes = encode(&mock(kind, SP1_CIRCUIT_VERSION)).unwrap();
            for mode in [Mode::Core, Mode::Compressed] {
                assert!(refusal(&bytes, mode).contains("of another kind"));
            }
        }
    }

    #[test]
    fn another_mode_version_or_public_value_is_named() {
        let core = mock(SP1ProofMode::Core, SP1_CIRCUIT_VERSION);
        assert!(refusal(&encode(&core).unwrap(), Mode::Compressed).contains("it is core"));
        let old = encode(&mock(SP1ProofMode::Core, "v6.0.0")).unwrap();
        assert!(refusal(&old, Mode::Core).contains("v6.0.0"));
        let mut other = core.clone();
        other.public_values = SP1PublicValues::from(&[8; 8]);
        assert!(refusal(&encode(&other).unwrap(), Mode::Core).contains("public values"));
        let signed = SP1ProofWithPublicValues {
            tee_proof: Some(vec![1]),
            ..core
        };
        assert!(refusal(&encode(&signed).unwrap(), Mode::Core).contains("enclave"));
    }

    #[test]
    fn truncated_padded_and_random_bytes_are_refused() {
        let bytes = encode(&mock(SP1ProofMode::Compressed, SP1_CIRCUIT_VERSION)).unwrap();
        for cut in (0..bytes.len()).step_by(bytes.len() / 30 + 1) {
            refusal(&bytes[..cut], Mode::Compressed);
        }
        refusal(&[&bytes[..], &[0]].concat(), Mode::Compressed);
        let mut state = 1u64;
        for length in [0usize, 1, 7, 100, 4096] {
            let noise: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            refusal(&noise, Mode::Core);
        }
    }

    #[test]
    fn huge_lengths_are_refused_wherever_they_stand() {
        let bytes = encode(&mock(SP1ProofMode::Compressed, SP1_CIRCUIT_VERSION)).unwrap();
        for at in (4..bytes.len() - 8).step_by(bytes.len() / 40 + 1) {
            for huge in [u64::MAX, 1 << 40, 1 << 32] {
                let mut bomb = bytes.clone();
                bomb[at..at + 8].copy_from_slice(&u64::to_le_bytes(huge));
                refusal(&bomb, Mode::Compressed);
            }
        }
    }
}
