//! Holds witnesses to the laws.

fn main() {}
