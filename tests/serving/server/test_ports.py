from __future__ import annotations

import socket

import pytest

from m2trec_merlin.config import ServingConfig
from m2trec_merlin.contract.names import LOCALHOST
from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.server.ports import Ports


def test_free_ports_differ_and_can_be_listened_on() -> None:
    ports = Ports.free()
    assert len({ports.http, ports.grpc, ports.metrics}) == 3
    ports.require_free()


def test_ports_come_from_the_configuration() -> None:
    assert Ports.of(ServingConfig(http_port=1, grpc_port=2, metrics_port=3)) == Ports(1, 2, 3)


def test_a_port_in_use_is_named_with_the_setting_that_changes_it() -> None:
    free = Ports.free()
    with socket.socket() as other:
        other.bind((LOCALHOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(
            ServerError, match=rf"port {taken} \(grpc\) is in use: .*serving\.grpc_port"
        ) as error:
            Ports(free.http, taken, free.metrics).require_free()
    assert "http_port" not in str(error.value)


def test_equal_ports_are_refused() -> None:
    port = Ports.free().http
    with pytest.raises(ServerError, match="need different ports"):
        Ports(port, port, port).require_free()
