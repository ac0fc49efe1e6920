"""The API on a socket; its exchange in memory runs epochs when there is something to seal."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from convexfx.api.server import Server, open_socket
from tests.support.api_world import ApiWorld, api_world


@dataclass(frozen=True)
class LiveApi:
    """A served exchange."""

    url: str
    world: ApiWorld


@contextmanager
def live_api() -> Iterator[LiveApi]:
    """Serve on a free port of 127.0.0.1; epochs run in a thread of their own."""
    world, listener, end = api_world(poll_s=0.02), open_socket(0), threading.Event()
    config = uvicorn.Config(world.client.app, log_config=None, lifespan="on")
    server = Server(config, world.services)
    threads = [
        threading.Thread(target=server.run, kwargs={"sockets": [listener]}),
        threading.Thread(target=run_epochs, args=(world, end)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield LiveApi(f"http://127.0.0.1:{listener.getsockname()[1]}", world)
    finally:
        end.set()
        world.services.change_signal.close()
        server.should_exit = True
        for thread in threads:
            thread.join()


def run_epochs(world: ApiWorld, end: threading.Event) -> None:
    while not end.wait(0.05):
        if world.inbox.depth().visible:
            world.run()
