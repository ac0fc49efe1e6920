"""Commands of `convexfx`."""
