"""A client that waits for each answer."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from m2trec_merlin.contract.names import ENSEMBLE, LOCALHOST
from m2trec_merlin.serving.client.answers import Recommendations, parse_answer
from m2trec_merlin.serving.client.base import BaseClient
from m2trec_merlin.serving.client.connection import Tls, needing_tritonclient, to_arrays
from m2trec_merlin.serving.client.options import RequestOptions
from m2trec_merlin.serving.client.requests import SessionItem

if TYPE_CHECKING:
    from typing_extensions import Unpack


class RecommendationClient(BaseClient):
    """A connection to a server; also a context manager. Threads may share it.

    Args:
        address: HOST:PORT of Triton's gRPC; an IPv6 address in brackets.
        timeout: seconds to wait for an answer, including retries. The first item with raw attributes after
            the server's start may take several seconds, until NVTabular is loaded.
        tls: files for an encrypted connection; None for an unencrypted one.
        retry: whether to send a request again, up to four times within `timeout`, if no server took it.

    Raises:
        MissingDependencyError: tritonclient is not installed.
        ServerError: the address is not valid, or a file for TLS cannot be read.
    """

    def __init__(
        self,
        address: str = f"{LOCALHOST}:8001",
        timeout: float = 30.0,
        *,
        tls: Tls | None = None,
        retry: bool = True,
    ) -> None:
        with needing_tritonclient():
            import tritonclient.grpc as triton
        super().__init__(triton, address, timeout, tls, retry)

    def recommend(
        self,
        session: Sequence[SessionItem],
        top_k: int | None = None,
        *,
        timeout: float | None = None,
        **options: Unpack[RequestOptions],
    ) -> Recommendations:
        """Recommend items for a session.

        Args:
            session: items of the session, the latest last; see `SessionItem`.
            top_k: number of recommendations; default: that of the export.
            timeout: seconds to wait for this answer; default: the timeout of the client.
            options: options of the request, see `RequestOptions`; the server refuses unknown ones.

        Raises:
            RefusedError: the request is wrong; names the field.
            NoAnswerError: the server cannot be reached, or does not answer in time.
            ServerError: the server failed.
        """
        seconds = self._seconds(timeout)
        try:
            answer = self._client.infer(
                ENSEMBLE, self._inputs(session, top_k, options), client_timeout=seconds
            )
        except self._triton.InferenceServerException as error:
            raise (
                self._explain(error, seconds) or self._explain_failure(error, self._is_live(seconds))
            ) from None
        return parse_answer(to_arrays(answer))

    def close(self) -> None:
        """Close the connection."""
        self._is_closed = True
        self._client.close()

    def __enter__(self) -> RecommendationClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _is_live(self, seconds: float | None) -> bool:
        try:
            return bool(self._client.is_server_live(client_timeout=seconds))
        except self._triton.InferenceServerException:
            return False
