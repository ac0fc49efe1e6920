"""The bytes that a proof is about: layout, building, public values.

The witness holds everything that the laws read, so whoever has it can repeat the verdict alone. The
public values are what of it a proof binds and the settlement side looks at.
"""
