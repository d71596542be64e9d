"""A client for asyncio, which can have thousands of requests under way in one thread."""

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


class AsyncRecommendationClient(BaseClient):
    """A connection to a server for one event loop; also an asynchronous context manager.

    It has to be made inside a running event loop. Cancelling a call cancels the request.

    Args:
        address: HOST:PORT of Triton's gRPC; an IPv6 address in brackets.
        timeout: seconds to wait for an answer, including retries.
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
            import tritonclient.grpc.aio as triton
        super().__init__(triton, address, timeout, tls, retry)

    async def recommend(
        self,
        session: Sequence[SessionItem],
        top_k: int | None = None,
        *,
        timeout: float | None = None,
        **options: Unpack[RequestOptions],
    ) -> Recommendations:
        """Recommend items for a session; arguments and errors are those of `RecommendationClient.recommend`.

        Raises:
            RefusedError: the request is wrong; names the field.
            NoAnswerError: the server cannot be reached, or does not answer in time.
            ServerError: the server failed.
        """
        seconds = self._seconds(timeout)
        try:
            answer = await self._client.infer(
                ENSEMBLE, self._inputs(session, top_k, options), client_timeout=seconds
            )
        except self._triton.InferenceServerException as error:
            raise (
                self._explain(error, seconds) or self._explain_failure(error, await self._is_live(seconds))
            ) from None
        return parse_answer(to_arrays(answer))

    async def close(self) -> None:
        """Close the connection."""
        self._is_closed = True
        await self._client.close()

    async def __aenter__(self) -> AsyncRecommendationClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _is_live(self, seconds: float | None) -> bool:
        try:
            return bool(await self._client.is_server_live(client_timeout=seconds))
        except self._triton.InferenceServerException:
            return False
