//! SHA-256 as the laws need it: over little-endian words in place, the compression left to others.

/// The compression function of SHA-256, in software or as a precompile.
///
/// A digest is 32 bytes as four little-endian words, as it stands in a witness.
pub trait Sha256 {
    /// The state before the first block.
    fn new() -> Self;

    /// Begin another message.
    fn start(&mut self);

    /// Take in one block: 64 bytes as eight little-endian words.
    fn block(&mut self, block: &[u64; 8]);

    /// What the blocks since [`Self::start`] hash to; the padding is among them.
    fn digest(&self) -> [u64; 4];
}
