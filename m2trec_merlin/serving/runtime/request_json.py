"""JSON as clients write it."""

from __future__ import annotations

import json
from typing import Any

from m2trec_merlin.errors import ServerError


def parse_json(text: str, where: str) -> Any:
    """Return what a JSON text says.

    Half a character, as programs leave it that cut texts by UTF-16, is read as U+FFFD: nothing behind could
    write it as UTF-8.

    Args:
        text: the JSON.
        where: it stands in the request.

    Raises:
        ServerError: it cannot be read; names `where`.
    """
    try:
        value = json.loads(text)
        if "\\ud" in text.lower():
            whole = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
            value = json.loads(whole.decode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise ServerError(f"{where}: not valid JSON ({error})") from None
    return value
