"""Exact integers wider than 64 bits, in columns.

numpy has no integer wider than 64 bits, and Python's own are too slow for a million orders. Amounts
times rates have up to 125 bits, sums of amounts up to 86. ``columns`` builds them from 32-bit
halves in numpy; ``columns_numba`` is its twin in machine code. Settlement and the laws stand on it.
"""
