"""An order: its row, its terms, its signed form, its place in a sealed batch.

A wallet signs a payload; the 72 bytes of terms in it say what the order wants; an 80-byte row is
what the clearing and the laws see of it. Layouts: ``docs/spec.md`` sections 2 and 3.
"""
