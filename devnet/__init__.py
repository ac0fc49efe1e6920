"""A stand-in delta network of two programs, written from ``docs/spec.md`` alone.

``python -m devnet.gateway`` is the domain's side, ``python -m devnet.settlement`` the settlement
layer. They share no code with each other nor with the executor: only the page of bytes.
"""
