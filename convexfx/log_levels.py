"""The five log levels of the executor, and what Python's logging calls them."""

from typing import Final

LEVELS: Final = ("error", "warn", "info", "debug", "trace")
PYTHON_LEVEL: Final = {
    "error": "ERROR", "warn": "WARNING", "info": "INFO", "debug": "DEBUG", "trace": "DEBUG",
}  # fmt: skip
"""Level names that Python's logging, and so Prefect, uvicorn and LocalStack, understand."""
