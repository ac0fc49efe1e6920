"""Writes every committed file that follows from code: ``python -m tests.write_generated``.

Witness vectors have a command of their own, ``python -m tests.support.witnesses.vectors``.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import convexfx_core
from convexfx_core.wire.schema import SCHEMA_NAMES, schema_bytes
from tests.support.api_world import api_world
from tests.support.error_cases import LISTS, line_of
from tests.vectors.codec_vectors import FOLDER as CODEC
from tests.vectors.codec_vectors import build as codec_files

ERROR_LINES = CODEC.parent / "errors" / "lines.json"
OPENAPI = CODEC.parents[2] / "docs" / "openapi.json"
SCHEMAS = Path(convexfx_core.__file__).parent / "schemas"


def error_lines() -> dict[str, dict[str, str]]:
    """What somebody reads for every code, by list."""
    return {name: {k: line_of(call) for k, call in make().items()} for name, make in LISTS.items()}


def openapi() -> bytes:
    """The document that the API serves at ``/openapi.json``."""
    return json.dumps(api_world().get("/openapi.json"), indent=1).encode("ascii") + b"\n"


def generated() -> Iterator[tuple[Path, bytes]]:
    """Path and bytes of each file."""
    for name in SCHEMA_NAMES:
        yield SCHEMAS / f"{name}.json", schema_bytes(name)
    for name, data in codec_files().items():
        yield CODEC / f"{name}.json", data
    yield OPENAPI, openapi()
    yield ERROR_LINES, json.dumps(error_lines(), indent=1).encode("ascii") + b"\n"


def main() -> None:
    """Write them."""
    for path, data in generated():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)
            print(path.relative_to(CODEC.parents[2]))


if __name__ == "__main__":
    main()
