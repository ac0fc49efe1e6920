//! Refuses a lock that mixes SP1 versions, and tells the binary which compiler built it.

use std::{env, fs, path::Path, process::Command};

/// The only SP1 version this host speaks: the circuit's keys belong to it.
const SP1_VERSION: &str = "6.10.0";

fn main() {
    let folder = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let lock = Path::new(&folder).join("Cargo.lock");
    println!("cargo:rerun-if-changed={}", lock.display());
    println!("cargo:rerun-if-changed=build.rs");
    let text = fs::read_to_string(&lock).expect("Cargo.lock: run scripts/cargo-lock.sh show");
    for (name, version) in packages(&text) {
        assert!(
            !name.starts_with("sp1-") || version == SP1_VERSION,
            "Cargo.lock: {name} is {version}, expected {SP1_VERSION}"
        );
    }
    println!("cargo:rustc-env=LAWS_HOST_SP1_VERSION={SP1_VERSION}");
    println!("cargo:rustc-env=LAWS_HOST_RUSTC={}", compiler());
}

/// Name and version of every package in the text of a lock.
fn packages(lock: &str) -> Vec<(&str, &str)> {
    let value = |block: &'_ str, key: &str| -> Option<(usize, usize)> {
        let start = block.find(key)? + key.len();
        Some((start, start + block[start..].find('"')?))
    };
    lock.split("[[package]]")
        .skip(1)
        .filter_map(|block| {
            let name = value(block, "name = \"")?;
            let version = value(block, "version = \"")?;
            Some((&block[name.0..name.1], &block[version.0..version.1]))
        })
        .collect()
}

/// What `rustc -V` says.
fn compiler() -> String {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let output = Command::new(rustc).arg("-V").output().expect("rustc -V");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
