"""The three ports of a Triton server."""

from __future__ import annotations

import socket
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from m2trec_merlin.config import ServingConfig
from m2trec_merlin.contract.names import LOCALHOST
from m2trec_merlin.errors import ServerError

#: The option of Triton that names its models, by which its processes are known.
MODELS_OPTION = "--model-repository="


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

    def require_free(self, own: Collection[int] = ()) -> None:
        """Check that Triton can listen on them on the loopback interface.

        Args:
            own: ports that count as free, see `ports_served_from`.

        Raises:
            ServerError: ports are in use or appear twice; names each port and the setting that changes it.
        """
        named = {"http": self.http, "grpc": self.grpc, "metrics": self.metrics}
        problems = [
            in_use(name, port) for name, port in named.items() if port not in own and not _is_free(port)
        ]
        if len(set(named.values())) < len(named):
            problems.append(f"http, grpc and metrics need different ports, not {list(named.values())}")
        if problems:
            raise ServerError("Triton cannot be started: " + "; ".join(problems))


def in_use(name: str, port: int) -> str:
    """Return what to do about a port that is taken, `name` being that of its setting without `_port`."""
    remedy = f"stop what listens there, perhaps another `m2trec serve`, or set serving.{name}_port"
    return f"port {port} ({name}) is in use: {remedy}"


def ports_served_from(repository: Path) -> set[int]:
    """Return the ports that servers of a model repository listen on, as far as this user may see them."""
    try:
        import psutil
    except ImportError:
        return set()  # `doctor` asks before there is all that a server needs
    listening = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    of_process = {each.pid: _models_of(each.pid) for each in listening if each.pid is not None}
    return {each.laddr.port for each in listening if of_process.get(each.pid) == repository.resolve()}


def _models_of(process: int) -> Path | None:
    """Return the model repository of a process of Triton; None of others, and of one that has ended."""
    import psutil

    try:
        words = psutil.Process(process).cmdline()
    except psutil.Error:
        return None
    named = (word.removeprefix(MODELS_OPTION) for word in words if word.startswith(MODELS_OPTION))
    return next((Path(name).resolve() for name in named), None)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do, so that a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
    return True
