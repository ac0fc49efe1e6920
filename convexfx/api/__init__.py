"""HTTP API of the executor (FastAPI); errors are problem+json with a closed list of codes."""
