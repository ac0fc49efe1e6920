"""The bytes that a proof is about: layout, building, public values."""
