"""Gateway of one domain: local view, pending intents, SDLs and their proofs."""
