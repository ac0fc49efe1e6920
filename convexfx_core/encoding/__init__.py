"""From values to bytes and back: canonical bytes, hashes, trees, JSON, tables.

What is hashed, signed or proven must have one encoding on every machine. Everything above this room
writes and reads through it. Source: ``docs/spec.md`` section 1.
"""
