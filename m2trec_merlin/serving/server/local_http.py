"""HTTP requests to Triton on this machine."""

from __future__ import annotations

import urllib.error
import urllib.request

_SECONDS = 2.0


def answer_of(address: str) -> bytes | None:
    """Return the answer of an address on this machine; None if there is no answer, or an error."""
    try:
        # Without proxies, which the environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=_SECONDS) as answer:
            body: bytes = answer.read()
            return body if answer.status == 200 else None
    except (urllib.error.URLError, OSError):
        return None
