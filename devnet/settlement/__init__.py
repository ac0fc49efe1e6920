"""Settlement layer: final vaults, domain agreements, delta epochs, SDLs with their proofs."""
