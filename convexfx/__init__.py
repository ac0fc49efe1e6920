"""What people touch: commands, HTTP API, page, wallet, local stack."""
