"""Vaults, and what an epoch changes in them."""
