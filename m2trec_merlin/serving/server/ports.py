"""The three ports of a Triton server."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from dataclasses import dataclass

from m2trec_merlin.config import ServingConfig
from m2trec_merlin.contract.names import LOCALHOST
from m2trec_merlin.errors import ServerError


@dataclass(frozen=True)
class Ports:
    """The ports that Triton listens on."""

    http: int
    grpc: int
    metrics: int

    @classmethod
    def of(cls, config: ServingConfig) -> Ports:
        """Take the ports from the configuration."""
        return cls(config.http_port, config.grpc_port, config.metrics_port)

    @classmethod
    def free(cls) -> Ports:
        """Choose three ports that are free at this moment (for tests and demos)."""
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
            for each in sockets:
                each.bind((LOCALHOST, 0))
            return cls(*(each.getsockname()[1] for each in sockets))

    def require_free(self) -> None:
        """Check that Triton can listen on them on the loopback interface.

        Raises:
            ServerError: ports are in use or appear twice; names each port and the setting that changes it.
        """
        named = {"http": self.http, "grpc": self.grpc, "metrics": self.metrics}
        problems = [in_use(name, port) for name, port in named.items() if not _is_free(port)]
        if len(set(named.values())) < len(named):
            problems.append(f"http, grpc and metrics need different ports, not {list(named.values())}")
        if problems:
            raise ServerError("Triton cannot be started: " + "; ".join(problems))


def in_use(name: str, port: int) -> str:
    """Return what to do about a port that is taken, `name` being that of its setting without `_port`."""
    remedy = f"stop what listens there, perhaps another `m2trec serve`, or set serving.{name}_port"
    return f"port {port} ({name}) is in use: {remedy}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do, so that a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
    return True
