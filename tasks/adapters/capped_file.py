"""Reads files and objects up to a size that their kind may have.

Somebody else may have written them, and a length costs him nothing: a file may be mostly a hole.
"""

import os
from pathlib import Path
from typing import Final

from convexfx_core.limits import BUNDLE_BYTES_MAX, OBJECT_BYTES_MAX

HOLE_FREE_BYTES: Final = 32 << 20
"""A file longer than this must have no hole: its bytes were really given."""


class FileTooLarge(OSError):
    """A file, or an object of the bucket, is longer than its kind may be."""

    def __init__(self, expected: str) -> None:
        super().__init__(None, f"expected {expected}")


def read_file(path: Path, bytes_max: int) -> bytes:
    """The whole file, never more than ``bytes_max`` bytes of it.

    Raises
    ------
    FileTooLarge
        It is longer, or is long and has a hole.
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > bytes_max:
            raise FileTooLarge(f"at most {bytes_max} bytes")
        if size > HOLE_FREE_BYTES:
            if os.lseek(file.fileno(), 0, os.SEEK_HOLE) < size:
                raise FileTooLarge(f"no hole in a file of more than {HOLE_FREE_BYTES} bytes")
            os.lseek(file.fileno(), 0, os.SEEK_SET)
        # A pipe says that it has no bytes at all: what is read counts.
        body = file.read(size + 1 if size else bytes_max + 1)
    if len(body) > bytes_max:
        raise FileTooLarge(f"at most {bytes_max} bytes")
    return body


def object_bytes_max(key: str) -> int:
    """Longest object of the bucket under ``key``, by its kind."""
    read_whole_as_text = key.startswith("inbox/") or key.endswith(".json")
    return BUNDLE_BYTES_MAX if read_whole_as_text else OBJECT_BYTES_MAX
