"""Ports on the loopback: finds free ones, and says which service asks for one that is taken.

The supervisor checks every port before it starts anything, so that a taken one is one clear line
and not the failure of some service a minute later.
"""

import socket
from collections.abc import Iterable
from contextlib import ExitStack

from convexfx.local.service import Service
from convexfx.loopback import HOST
from convexfx_core.errors import ConfigurationCode, ConfigurationError


def free_ports(count: int) -> tuple[int, ...]:
    """So many different ports that nobody listens on right now."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return tuple(int(one.getsockname()[1]) for one in sockets)


def free_port() -> int:
    """A port that nobody listens on right now."""
    return free_ports(1)[0]


def is_free(port: int) -> bool:
    """Whether a server could listen on the port and nobody else does on any interface."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex((HOST, port)) == 0:
            return False
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError:
            return False
    return True


def require_free(services: Iterable[Service]) -> None:
    """Refuse to start a stack whose ports are taken, by others or twice by itself.

    Raises
    ------
    ConfigurationError
        ``PORT_TAKEN`` naming port, service and the option that changes it.
    """
    owners: dict[int, str] = {}
    for service in services:
        for port in service.ports:
            holder = owners.setdefault(port.number, service.name)
            if holder != service.name:
                raise _taken(service, port.number, port.option, f"{holder}, which also asks for it")
            if not is_free(port.number):
                raise _taken(service, port.number, port.option, "another program listening there")


def _taken(service: Service, port: int, option: str, observed: str) -> ConfigurationError:
    expected = f"port {port} to be free for {service.name} (choose another with {option})"
    return ConfigurationError(ConfigurationCode.PORT_TAKEN, option, expected, observed)
