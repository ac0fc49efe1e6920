"""The protocol: pure functions and values, no input or output, no clock, no randomness."""
