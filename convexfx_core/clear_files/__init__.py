"""The files of ``convexfx clear`` and ``convexfx verify``.

A clearing can be had without an exchange: a batch in one JSON file goes in, a certified result in
another comes out, and anybody can verify it offline. No keys, no vaults, no witness. Formats:
``docs/clear-files.md``.
"""
