//! What can go wrong, as the caller sees it: a code, an exit code and one line for a human.
//!
//! | code | exit | meaning |
//! |---|---|---|
//! | `usage` | 2 | arguments or request not understood |
//! | `law_violated` | 10 | the guest names a law that the witness breaks |
//! | `guest_trapped` | 11 | the guest ended in any other way than the two above |
//! | `proof_invalid` | 12 | a proof that must not be believed |
//! | `wrong_vkey` | 13 | the key is not the one named |
//! | `out_of_memory` | 14 | the memory limit was reached |
//! | `environment` | 15 | a file, a socket, the executor's binary, SP1 itself |
//! | `busy` | 15 | the server proves for another client |

use std::fmt;

use serde_json::{json, Value};

/// The closed list of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Arguments or request not understood.
    Usage,
    /// The guest names a law that the witness breaks.
    LawViolated,
    /// The guest ended in any other way.
    GuestTrapped,
    /// A proof that must not be believed.
    ProofInvalid,
    /// The key is not the one named.
    WrongVkey,
    /// The memory limit was reached.
    OutOfMemory,
    /// A file, a socket, the executor's binary, SP1 itself.
    Environment,
    /// The server proves for another client.
    Busy,
}

/// The longest message, in characters: what SP1 says of a hostile proof may hold all of it.
const MESSAGE_CHARS_MAX: usize = 400;

/// Every code, for parsing.
const CODES: [Code; 8] = [
    Code::Usage,
    Code::LawViolated,
    Code::GuestTrapped,
    Code::ProofInvalid,
    Code::WrongVkey,
    Code::OutOfMemory,
    Code::Environment,
    Code::Busy,
];

impl Code {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Code::Usage => "usage",
            Code::LawViolated => "law_violated",
            Code::GuestTrapped => "guest_trapped",
            Code::ProofInvalid => "proof_invalid",
            Code::WrongVkey => "wrong_vkey",
            Code::OutOfMemory => "out_of_memory",
            Code::Environment => "environment",
            Code::Busy => "busy",
        }
    }

    /// The exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Code::Usage => 2,
            Code::LawViolated => 10,
            Code::GuestTrapped => 11,
            Code::ProofInvalid => 12,
            Code::WrongVkey => 13,
            Code::OutOfMemory => 14,
            Code::Environment | Code::Busy => 15,
        }
    }

    /// The code of a name, as a client reads it from a server.
    pub fn from_name(name: &str) -> Option<Code> {
        CODES.into_iter().find(|code| code.name() == name)
    }
}

/// A failure of a command or of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind it is.
    pub code: Code,
    /// One line for a human: the field and what was expected.
    pub message: String,
    /// The law, where the guest named one.
    pub law: Option<u8>,
}

impl Failure {
    /// A failure of the kind `code`.
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        let text = message.to_string().replace('\n', " ");
        Failure {
            code,
            message: text.chars().take(MESSAGE_CHARS_MAX).collect(),
            law: None,
        }
    }

    /// `code` is `usage`.
    pub fn usage(message: impl fmt::Display) -> Self {
        Failure::new(Code::Usage, message)
    }

    /// `code` is `proof_invalid`.
    pub fn invalid(message: impl fmt::Display) -> Self {
        Failure::new(Code::ProofInvalid, message)
    }

    /// `code` is `environment`.
    pub fn environment(message: impl fmt::Display) -> Self {
        Failure::new(Code::Environment, message)
    }

    /// `{"code", "message", "law"?}`.
    pub fn json(&self) -> Value {
        let mut value = json!({"code": self.code.name(), "message": self.message});
        if let Some(law) = self.law {
            value["law"] = json!(law);
        }
        value
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let codes: Vec<u8> = CODES.iter().map(|code| code.exit_code()).collect();
        assert_eq!(codes, [2, 10, 11, 12, 13, 14, 15, 15]);
    }

    #[test]
    fn names_are_distinct_and_read_back() {
        for code in CODES {
            assert_eq!(Code::from_name(code.name()), Some(code));
        }
        assert_eq!(Code::from_name("Busy"), None);
    }

    #[test]
    fn a_message_is_one_short_line() {
        let failure = Failure::invalid(format!("one\ntwo{}", "é".repeat(1000)));
        assert!(failure.message.starts_with("one two"));
        assert_eq!(failure.message.chars().count(), MESSAGE_CHARS_MAX);
    }

    #[test]
    fn a_failure_carries_the_law_only_where_there_is_one() {
        let mut failure = Failure::new(Code::LawViolated, "law 5");
        assert_eq!(
            failure.json(),
            json!({"code": "law_violated", "message": "law 5"})
        );
        failure.law = Some(5);
        assert_eq!(failure.json()["law"], json!(5));
    }
}
