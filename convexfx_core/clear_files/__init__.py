"""The files of ``convexfx clear`` and ``convexfx verify``."""
