"""Ask a running server for recommendations, over gRPC."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from m2trec_merlin.errors import MissingDependencyError, ServerError
from m2trec_merlin.serving.contract.about import About
from m2trec_merlin.serving.contract.names import (
    ABOUT,
    ENSEMBLE,
    ITEM_ATTRIBUTES,
    ITEM_IDS,
    LOCALHOST,
    OPTIONS,
    RECOMMENDED_IDS,
    SCORES,
    TITLES,
    WARNINGS,
    category_tensors,
)

_ADDRESS = re.compile(r"(?P<host>[\w.-]+|\[[\w.:%-]+\]):(?P<port>[0-9]{1,5})")

#: An item of a session: its id, or raw attributes by column, `item_id` among them or not.
SessionItem = str | int | Mapping[str, Any]


@dataclass(frozen=True)
class Recommendations:
    """What the server recommends for a session, best first.

    Attributes:
        item_ids: of the recommended items, at most top_k.
        titles: of the same items.
        scores: of the same items; comparable within one answer only.
        categories: per predicted attribute its most probable values for the next item, each with its
            probability.
        warnings: what the server ignored, and why an answer is shorter or other than expected.
        about: which request was answered, and by which versions of model and catalogue.
    """

    item_ids: list[str]
    titles: list[str]
    scores: list[float]
    categories: dict[str, list[tuple[str, float]]]
    warnings: list[str]
    about: About


class RecommendationClient:
    """A connection to a server; a context manager, too.

    Args:
        address: HOST:PORT of Triton's gRPC; an IPv6 address in brackets.
        timeout: seconds to wait for an answer. The first item with raw attributes after the server's start
            may take several, until NVTabular is loaded.

    Raises:
        MissingDependencyError: tritonclient is not installed.
        ServerError: the address is none.
    """

    def __init__(self, address: str = f"{LOCALHOST}:8001", timeout: float = 30.0) -> None:
        try:
            import tritonclient.grpc as triton
        except ImportError:
            raise MissingDependencyError(
                "tritonclient is not installed: pip install 'm2trec-merlin[serve]'"
            ) from None
        self.address = address
        self.timeout = timeout
        self._triton = triton
        self._client = triton.InferenceServerClient(address, channel_args=_channel_arguments(address))

    def recommend(
        self,
        session: Sequence[SessionItem],
        top_k: int | None = None,
        exclude: Sequence[str | int] = (),
        exclude_session_items: bool = False,
        filters: Mapping[str, Any] | None = None,
        new_item_boost: float | None = None,
        new_items: Sequence[str | int] | None = None,
        popularity: float | None = None,
        **options: object,
    ) -> Recommendations:
        """Recommend items for a session.

        Args:
            session: its items, the latest last.
            top_k: recommendations wanted; default: as exported.
            exclude: ids that must not be recommended.
            exclude_session_items: leave out what the session holds.
            filters: wanted values by column: a value, a list of which any will do, {"all": [...]},
                {"not": ...}, or {"min": a, "max": b}.
            new_item_boost: added to the scores of new items; default: as exported.
            new_items: ids that count as new if they have no training history; default: all without one.
            popularity: share of the popularity bias that counts, 1 to 0; default: 1.
            options: others that the server knows, by name; it refuses those that it does not.

        Raises:
            ServerError: the server cannot be reached, or refuses the request; says what to do.
        """
        options["exclude_session_items"] = exclude_session_items
        if top_k is not None:
            options["top_k"] = top_k
        if exclude:
            options["exclude"] = [str(item_id) for item_id in exclude]
        if filters:
            options["filters"] = dict(filters)
        if new_item_boost is not None:
            options["new_item_boost"] = new_item_boost
        if popularity is not None:
            options["popularity"] = popularity
        if new_items is not None:
            options["new_items"] = [str(item_id) for item_id in new_items]
        items = [_id_and_attributes(item) for item in session]
        inputs = [
            self._tensor(ITEM_IDS, [item_id for item_id, _ in items]),
            self._tensor(ITEM_ATTRIBUTES, [attributes for _, attributes in items]),
            self._tensor(OPTIONS, [_to_json(options)]),
        ]
        try:
            answer = self._client.infer(ENSEMBLE, inputs, client_timeout=self.timeout)
        except self._triton.InferenceServerException as error:
            raise ServerError(self._explain(error)) from None
        return _recommendations({o.name: answer.as_numpy(o.name)[0] for o in answer.get_response().outputs})

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> RecommendationClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tensor(self, name: str, texts: Sequence[str]) -> Any:
        array = np.array([[text.encode(errors="replace") for text in texts]], dtype=object)
        tensor = self._triton.InferInput(name, list(array.shape), "BYTES")
        tensor.set_data_from_numpy(array)
        return tensor

    def _is_live(self) -> bool:
        """Tell whether a Triton is at the address, whatever it makes of a request."""
        try:
            return bool(self._client.is_server_live(client_timeout=self.timeout))
        except self._triton.InferenceServerException:
            return False

    def _explain(self, error: Any) -> str:
        status = (error.status() or "").removeprefix("StatusCode.")
        message = error.message().removeprefix(f"in ensemble '{ENSEMBLE}', ")
        if status == "INVALID_ARGUMENT":
            return f"the server refused the request: {message}"
        if status == "DEADLINE_EXCEEDED":
            return f"the server at {self.address} gave no answer within {self.timeout:g} seconds"
        if not self._is_live():
            return (
                f"no server answers at {self.address}: start one with `m2trec serve`, or check that host and "
                "port are those of Triton's gRPC"
            )
        return f"the server at {self.address} failed ({status}): {message}"


def _channel_arguments(address: str) -> list[tuple[str, int]]:
    match = _ADDRESS.fullmatch(address)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ServerError(f"address '{address}': expected HOST:PORT of Triton's gRPC, as in {LOCALHOST}:8001")
    arguments = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    if match["host"] in (LOCALHOST, "localhost", "[::1]"):
        # A proxy that the environment names must not stand between two programs on one machine.
        arguments.append(("grpc.enable_http_proxy", 0))
    return arguments


def _id_and_attributes(item: SessionItem) -> tuple[str, str]:
    if not isinstance(item, Mapping):
        return str(item), ""
    attributes = dict(item)
    item_id = attributes.pop("item_id", "")
    return str(item_id), _to_json(attributes) if attributes else ""


def _to_json(value: Any) -> str:
    # Attributes often come out of a table: NumPy's scalars and arrays know their plain form.
    return json.dumps(value, default=lambda other: other.tolist())


def _recommendations(outputs: dict[str, np.ndarray]) -> Recommendations:
    texts = {n: [t.decode() for t in a.tolist()] for n, a in outputs.items() if a.dtype == object}
    tasks = [name.removeprefix("next_") for name in texts if name.startswith("next_")]
    categories = {}
    for task in sorted(tasks):
        values, probabilities = category_tensors(task)
        categories[task] = list(zip(texts[values], outputs[probabilities].tolist(), strict=True))
    return Recommendations(
        texts[RECOMMENDED_IDS],
        texts[TITLES],
        outputs[SCORES].tolist(),
        categories,
        texts[WARNINGS],
        About.from_json(texts[ABOUT][0]),
    )
