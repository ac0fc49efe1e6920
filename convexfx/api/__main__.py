"""``python -m convexfx.api``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from convexfx.api.app import create_app
from convexfx.api.server import open_socket, serve
from convexfx_core.errors import ConvexFxError, PeerUnreachable
from tasks.adapters.settings import Settings
from tasks.adapters.wiring import context_from_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the API until it is told to stop; 2 for settings, 3 for a peer that is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m convexfx.api", description="HTTP API of the executor, on 127.0.0.1."
    )
    parser.add_argument("--port", type=int, help="default: the setting api_port; 0: a free one")
    parser.add_argument("--config", type=Path, help="default: executor.yaml where it is")
    parser.add_argument(
        "--journal", type=Path, help="file of queued orders; default: beside the tokens file"
    )
    options = parser.parse_args(arguments)
    try:
        settings = Settings.load(options.config)
        port = settings.api_port if options.port is None else options.port
        journal = options.journal or settings.tokens.with_name(f"api-{port}-queued.bin")
        app = create_app(context_from_settings(settings), journal=journal)
        return serve(app, open_socket(port), settings.log_level)
    except ConvexFxError as error:
        print(f"convexfx api: {error.line()}", file=sys.stderr)
        return 3 if isinstance(error, PeerUnreachable) else 2


if __name__ == "__main__":
    sys.exit(main())
