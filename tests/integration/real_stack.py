"""Supervises LocalStack and, if a second port is given, a Prefect server and a worker.

``python -m tests.integration.real_stack FOLDER AWS_PORT [PREFECT_PORT]``
"""

import sys
from pathlib import Path

from convexfx.local.localstack import localstack_service, use_local_aws
from convexfx.local.prefect_server import (
    EPOCH_POOL,
    prefect_server_service,
    prefect_worker_service,
)
from convexfx.local.provision import provision
from convexfx.local.service import Part, Step
from convexfx.local.supervisor import Stack
from convexfx_core.errors import ConvexFxError
from tests.support.stack_fixtures import LOCALSTACK_VENV


def main() -> int:
    folder = Path(sys.argv[1])
    aws, *servers = (int(text) for text in sys.argv[2:])
    localstack = localstack_service(folder, port=aws, venv=LOCALSTACK_VENV)
    use_local_aws(localstack.url)
    parts: tuple[Part, ...] = (
        (localstack, *(prefect_server_service(folder, port=port) for port in servers)),
        *(prefect_worker_service(folder, EPOCH_POOL, server_port=port) for port in servers),
        Step("bucket and queue", lambda: provision("convexfx-epochs", "convexfx-inbox")),
    )
    try:
        with Stack(parts, folder) as stack:
            stack.watch()
    except KeyboardInterrupt:
        return 0
    except ConvexFxError as error:
        print(error.line(), flush=True)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
