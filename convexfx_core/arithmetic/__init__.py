"""Exact integers wider than 64 bits, in columns."""
