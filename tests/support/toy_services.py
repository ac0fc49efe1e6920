"""Small services for the supervisor's tests, and a program that supervises them.

``python -m tests.support.toy_services FOLDER KIND [PORT]`` runs a stack in the foreground,
as ``up`` does, and prints ``up`` when it is ready.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convexfx.cli.main import exit_code
from convexfx.local.ports import free_port
from convexfx.local.service import Part, Port, Service, Step
from convexfx.local.supervisor import Stack
from convexfx_core.errors import ConvexFxError

ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import os, signal, socket, subprocess, sys
port, *options = sys.argv[1:]
if "stubborn" in options:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if "parent" in options:
    child = [sys.executable, "-S", "-c", "import signal; signal.pause()"]
    subprocess.Popen(child, start_new_session=True)
server = socket.create_server(("127.0.0.1", int(port)))
print("INFO listening", flush=True)
while True:
    connection, _ = server.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    connection.close()
"""

NO_LUCK = "print('ERROR no luck'); raise SystemExit(3)"


def toy(name: str, *options: str, port: int | None = None, **settings: Any) -> Service:
    """A service that answers HTTP. ``stubborn`` ignores SIGTERM, ``parent`` has a runaway child."""
    number = port or free_port()
    defaults: dict[str, Any] = {
        "ready": f"http://127.0.0.1:{number}/",
        "ports": (Port(number, f"--{name}-port"),),
        "grace_s": 0.3 if "stubborn" in options else 5.0,
        "ready_s_max": 20.0,
        "url": f"http://127.0.0.1:{number}",
    }
    argv = (sys.executable, "-S", "-E", "-c", SERVER, str(number), *options)
    return Service(name=name, argv=argv, **{**defaults, **settings})


def script(name: str, code: str, **settings: Any) -> Service:
    """A service that runs a few lines of Python."""
    argv = (sys.executable, "-S", "-E", "-c", code)
    return Service(name=name, argv=argv, **settings)


def parts_of(kind: str, port: int | None) -> Sequence[Part]:
    """The stacks that tests start in another process."""
    kinds: dict[str, Sequence[Part]] = {
        "plain": [toy("one", port=port), (toy("two", "parent"), toy("three"))],
        "stubborn": [toy("one"), toy("two", "stubborn", grace_s=30.0)],
        "failing": [toy("one"), script("two", NO_LUCK, ready=lambda: False)],
        "endless": [toy("one"), Step("wait", lambda: __import__("signal").pause())],
    }
    return kinds[kind]


def main() -> int:
    folder, kind, *port = sys.argv[1:]
    try:
        with Stack(parts_of(kind, int(port[0]) if port else None), Path(folder)) as stack:
            print("up", flush=True)
            stack.watch()
    except KeyboardInterrupt:
        return 0
    except ConvexFxError as error:
        print(error.line(), flush=True)
        return exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
