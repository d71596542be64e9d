"""What Triton says on this machine by HTTP."""

from __future__ import annotations

import urllib.error
import urllib.request

_SECONDS = 2.0


def answer_of(address: str) -> bytes | None:
    """Return what an address of this machine answers; None if it does not, or by an error."""
    try:
        # No proxy may stand in between.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=_SECONDS) as answer:
            body: bytes = answer.read()
            return body if answer.status == 200 else None
    except (urllib.error.URLError, OSError):
        return None
