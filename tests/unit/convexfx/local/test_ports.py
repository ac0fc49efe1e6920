"""Ports: free ones are free, and a taken one is named with service and option."""

import socket
from collections.abc import Iterator

import pytest

from convexfx.local.ports import free_port, free_ports, is_free, require_free
from convexfx.local.service import Port, Service, answers
from convexfx_core.errors import ConfigurationError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def service(name: str, *ports: Port) -> Service:
    return Service(name, ("true",), ports=ports)


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(is_free(port) for port in ports)


def test_a_listening_port_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_a_bound_port_that_does_not_listen_is_not_free() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert not is_free(int(bound.getsockname()[1]))


def test_free_ports_pass() -> None:
    first, second = free_ports(2)
    require_free([service("api", Port(first, "--api-port"), Port(second, "--other"))])


def test_a_taken_port_names_port_service_and_option(taken: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        require_free([service("prefect-server", Port(taken, "--prefect-port"))])
    assert caught.value.code == "PORT_TAKEN"
    line = caught.value.line()
    assert str(taken) in line
    assert "prefect-server" in line
    assert "--prefect-port" in line
    assert "\n" not in line


def test_two_services_on_one_port_are_refused() -> None:
    port = free_port()
    one, two = service("devnet", Port(port, "--a")), service("api", Port(port, "--b"))
    with pytest.raises(ConfigurationError) as caught:
        require_free([one, two])
    assert caught.value.field == "--b"
    assert "devnet" in str(caught.value.observed)


def test_a_url_that_nobody_serves_does_not_answer(taken: int) -> None:
    assert not answers(f"http://127.0.0.1:{free_port()}/")
    assert not answers("not a url")
    assert not answers("http://[")
