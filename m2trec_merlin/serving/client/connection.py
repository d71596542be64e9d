"""The connection of a client: address, encryption, and retries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from m2trec_merlin.contract.names import LOCALHOST
from m2trec_merlin.errors import MissingDependencyError, ServerError, reason_of

_ADDRESS = re.compile(r"(?P<host>[\w.-]+|\[[\w.:%-]+\]):(?P<port>[0-9]{1,5})")

#: A recommendation changes nothing on the server, so a request that no server took may be sent again: up to
#: four times within its deadline, after random delays of about 0.1, 0.2, 0.4 and 0.8 seconds.
_RETRIES = {
    "methodConfig": [
        {
            "name": [{"service": "inference.GRPCInferenceService", "method": "ModelInfer"}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}


def fault_of(address: str) -> str | None:
    """Return what is wrong with the address of a server, or None."""
    match = _ADDRESS.fullmatch(address)
    if match is not None and 0 < int(match["port"]) < 2**16:
        return None
    return f"address '{address}': expected HOST:PORT of Triton's gRPC, as in {LOCALHOST}:8001"


@dataclass(frozen=True)
class Tls:
    """PEM files for an encrypted connection.

    Attributes:
        ca: certificates of authorities that may have signed the server's; None for those that gRPC trusts.
        certificate: chain of the client's own certificate, if the server asks for one (mTLS).
        key: private key of the client's certificate.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def credentials(self) -> Any:
        """Return the credentials for gRPC.

        Raises:
            ServerError: a file cannot be read, or only one of certificate and key is given.
        """
        import grpc

        if (self.certificate is None) != (self.key is None):
            raise ServerError("TLS: give both certificate and key of the client, or neither")
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.certificate))


@dataclass(frozen=True)
class Connection:
    """Settings of a connection to a server.

    Attributes:
        address: HOST:PORT of Triton's gRPC; an IPv6 address in brackets.
        tls: files for an encrypted connection; None for an unencrypted one.
        retry: whether to send a request again if no server took it.
    """

    address: str
    tls: Tls | None = None
    retry: bool = True

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of tritonclient's `InferenceServerClient`.

        Raises:
            ServerError: the address is not valid, or a file for TLS cannot be read.
        """
        if problem := fault_of(self.address):
            raise ServerError(problem)
        channel: list[tuple[str, int | str]] = [
            *(("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)),
            ("grpc.service_config", json.dumps(_RETRIES if self.retry else {})),
        ]
        if self.address.rpartition(":")[0] in (LOCALHOST, "localhost", "[::1]"):
            # Two programs on one machine must not go through a proxy from the environment.
            channel.append(("grpc.enable_http_proxy", 0))
        credentials = None if self.tls is None else self.tls.credentials()
        return {"url": self.address, "channel_args": channel, "creds": credentials}


@contextmanager
def needing_tritonclient() -> Iterator[None]:
    """Raise an error that says how to install tritonclient if the block cannot import it.

    Raises:
        MissingDependencyError: tritonclient is not installed.
    """
    try:
        yield
    except ImportError:
        raise MissingDependencyError(
            "tritonclient is not installed: pip install 'm2trec-merlin[serve]'"
        ) from None


def to_inputs(triton: ModuleType, tensors: Mapping[str, np.ndarray]) -> Sequence[Any]:
    """Return tensors of bytes as inputs of tritonclient."""
    inputs = []
    for name, array in tensors.items():
        inputs.append(triton.InferInput(name, list(array.shape), "BYTES"))
        inputs[-1].set_data_from_numpy(array)
    return inputs


def to_arrays(answer: Any) -> dict[str, np.ndarray]:
    """Return the outputs of an answer in tritonclient by name, without the leading dimension."""
    return {output.name: answer.as_numpy(output.name)[0] for output in answer.get_response().outputs}


def status_of(error: Any) -> tuple[str, str]:
    """Return the gRPC status of an exception of tritonclient, and its message."""
    return (error.status() or "").removeprefix("StatusCode."), error.message()


def _read(path: Path | None) -> bytes | None:
    try:
        return None if path is None else path.read_bytes()
    except OSError as error:
        raise ServerError(f"TLS: {path} cannot be read: {reason_of(error)}") from None
