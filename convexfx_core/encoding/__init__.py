"""From values to bytes and back: canonical bytes, hashes, trees, JSON, tables."""
