"""The API on an exchange in memory, as a process of its own.

``python -m tests.support.api_serve LEVEL`` serves on a free port until it is told to stop.
"""

import sys

from convexfx.api.app import app_of
from convexfx.api.server import open_socket, serve
from tests.support.api_world import api_world


def main() -> int:
    level = sys.argv[1]
    return serve(app_of(api_world().services), open_socket(0), level)


if __name__ == "__main__":
    sys.exit(main())
