"""Reading of requests from the page, with checks of their size and form."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from m2trec_merlin.errors import ServerError
from m2trec_merlin.serving.runtime.bounds import MOST_BYTES, MOST_EVENTS
from m2trec_merlin.serving.runtime.request_json import parse_json

_JSON = "application/json"


async def read_object(request: Request, **fields: type) -> list[Any]:
    """Return fields of the JSON object in a request.

    Args:
        request: the request.
        fields: type of each field by name.

    Raises:
        HTTPException: the body is too large, not JSON, or of another form.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        raise HTTPException(415, f"expected {_JSON}")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"more than {MOST_BYTES:,} bytes")
    try:
        said = parse_json(body.decode(), "body")
    except UnicodeDecodeError:
        raise HTTPException(400, "body: not valid UTF-8") from None
    except ServerError as error:
        raise HTTPException(400, str(error)) from None
    for name, kind in fields.items():
        if not isinstance(said, dict) or not isinstance(said.get(name), kind):
            raise HTTPException(400, f"{name}: expected {'a list' if kind is list else 'an object'}")
    return [said[name] for name in fields]


def require_items(field: str, items: list[Any], *kinds: type) -> None:
    """Check that each item is an id, or of one of the given types.

    Args:
        field: name of the field that holds the items.
        items: the items.
        kinds: accepted types besides ids.

    Raises:
        HTTPException: an item is of another type, or there are too many.
    """
    if len(items) > MOST_EVENTS:
        raise HTTPException(400, f"{field}: more than {MOST_EVENTS:,} items")
    for place, item in enumerate(items):
        if isinstance(item, bool) or not isinstance(item, (str, int, *kinds)):
            wanted = "an id or an object of attributes" if kinds else "an id"
            raise HTTPException(400, f"{field}[{place}]: expected {wanted}")


def number_of(request: Request, name: str, default: int, most: int) -> int:
    """Return a number from 1 to `most` from the query string.

    Raises:
        HTTPException: it is not such a number.
    """
    text = request.query_params.get(name, str(default))
    # `isdigit` alone would accept digits of other scripts.
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise HTTPException(400, f"{name}: expected a whole number from 1 to {most}")
    return int(text)
