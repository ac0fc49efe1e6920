"""Commands of ``convexfx``: one file a group, each reads its options and calls what does the work.

``main`` names the commands and turns a typed error into one line and an exit status.
"""
