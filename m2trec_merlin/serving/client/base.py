"""What both clients do alike: connect, ask, and say what went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.client.answers import explain, explain_failure
from m2trec_merlin.serving.client.connection import Connection, Tls, status_of, to_inputs
from m2trec_merlin.serving.client.options import write_options
from m2trec_merlin.serving.client.requests import SessionItem, build_request


class BaseClient:
    """A connection to a server, by one of tritonclient's modules.

    Args:
        triton: the module.
        address: HOST:PORT of Triton's gRPC; an IPv6 address in brackets.
        timeout: seconds to wait for an answer, what is tried again included.
        tls: files for an encrypted connection; None for one that is not.
        retry: whether a request that no server took is sent again.

    Raises:
        ServerError: the address is none, or a file for TLS cannot be read.
    """

    def __init__(
        self, triton: ModuleType, address: str, timeout: float, tls: Tls | None, retry: bool
    ) -> None:
        self.address = address
        self.timeout = timeout
        self._triton = triton
        self._encrypted = tls is not None
        self._client = triton.InferenceServerClient(**Connection(address, tls, retry).arguments())

    def _inputs(
        self, session: Sequence[SessionItem], top_k: int | None, options: Mapping[str, Any]
    ) -> Sequence[Any]:
        return to_inputs(self._triton, build_request(session, write_options(top_k, options)))

    def _explain(self, error: Any, seconds: float) -> ServerError | None:
        """Return what an exception of tritonclient means; None where it may be that no server is there."""
        return explain(*status_of(error), self.address, seconds)

    def _explain_failure(self, error: Any, is_live: bool) -> ServerError:
        """Return the same where `_explain` has no answer."""
        return explain_failure(*status_of(error), self.address, is_live, self._encrypted)
