"""Vaults, and what an epoch changes in them.

Before the epoch an opening, after it diffs and the state that they lead to; the roots of both stand
in the public values. Source: ``docs/spec.md`` sections 3, 4 and 6.
"""
