"""The common part of both clients: connecting, building requests, explaining errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from m2trec_merlin.errors import RefusedError, ServerError
from m2trec_merlin.serving.client.answers import explain, explain_failure
from m2trec_merlin.serving.client.connection import Connection, Tls, status_of, to_inputs
from m2trec_merlin.serving.client.options import write_options
from m2trec_merlin.serving.client.requests import SessionItem, build_request

#: Seconds from which on a timeout is none: a year.
_LONGEST_TIMEOUT = 365 * 86_400


class BaseClient:
    """A connection to a server, with one of tritonclient's modules.

    Args:
        triton: the module of tritonclient.
        address: HOST:PORT of Triton's gRPC; an IPv6 address in brackets.
        timeout: seconds to wait for an answer, including retries.
        tls: files for an encrypted connection; None for an unencrypted one.
        retry: whether to send a request again if no server took it.

    Raises:
        ServerError: the address or the timeout is not valid, or a file for TLS cannot be read.
    """

    def __init__(
        self, triton: ModuleType, address: str, timeout: float, tls: Tls | None, retry: bool
    ) -> None:
        self.address = address
        self.timeout: float | None = timeout
        self._is_closed = False
        self._seconds(None)
        self._triton = triton
        self._encrypted = tls is not None
        self._client = triton.InferenceServerClient(**Connection(address, tls, retry).arguments())

    def _seconds(self, timeout: float | None) -> float | None:
        """Return the deadline of a call in seconds; None for no deadline.

        Args:
            timeout: the timeout of the call; None for that of the client.

        Raises:
            RefusedError: the timeout is no positive number.
        """
        seconds = self.timeout if timeout is None else timeout
        if seconds is None:
            return None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
            raise RefusedError(f"timeout: expected a positive number of seconds, found {seconds!r}")
        # gRPC counts in nanoseconds, and takes what does not fit for a deadline in the past.
        return float(seconds) if seconds < _LONGEST_TIMEOUT else None

    def _inputs(
        self, session: Sequence[SessionItem], top_k: int | None, options: Mapping[str, Any]
    ) -> Sequence[Any]:
        if self._is_closed:
            raise ServerError(f"the client of {self.address} is closed: make another one")
        return to_inputs(self._triton, build_request(session, write_options(top_k, options)))

    def _explain(self, error: Any, seconds: float | None) -> ServerError | None:
        """Return the error for an exception of tritonclient; None if there may be no server at all."""
        return explain(*status_of(error), self.address, seconds)

    def _explain_failure(self, error: Any, is_live: bool) -> ServerError:
        """Return the error for an exception of tritonclient where `_explain` returned None."""
        return explain_failure(*status_of(error), self.address, is_live, self._encrypted)
