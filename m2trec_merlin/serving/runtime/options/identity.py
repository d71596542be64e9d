"""The option for the id of a request."""

from __future__ import annotations

from typing import Any

from m2trec_merlin.contract.version import Description
from m2trec_merlin.serving.runtime.bounds import LONGEST_REQUEST_ID
from m2trec_merlin.serving.runtime.options.base import Draft, Option


class RequestId(Option[str | None]):
    """`request_id`: the request's id in the answer; by default its id in Triton, or else a new one."""

    name = "request_id"
    expected = f"a text of 1 to {LONGEST_REQUEST_ID} letters"
    default = None
    meaning = "what the answer calls the request"

    def schema(self, version: Description) -> dict[str, Any]:
        """See `Option.schema`."""
        return {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_REQUEST_ID}

    def fits(self, value: object) -> bool:
        """See `Option.fits`."""
        return value is None or (isinstance(value, str) and 0 < len(value) <= LONGEST_REQUEST_ID)

    def apply(self, value: str | None, draft: Draft) -> None:
        """Leave the search as it is."""
