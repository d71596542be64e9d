"""The web application of the page: static files, and JSON from recommenders in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from m2trec_merlin.errors import M2TRecError, RefusedError
from m2trec_merlin.library.local import LocalRecommender
from m2trec_merlin.web.answering import about, answer, described
from m2trec_merlin.web.requests import number_of, read_object, require_items

_STATIC = Path(__file__).parent / "static"
#: Host names in requests from this machine; any other name is an attack by another page (DNS rebinding).
LOOPBACK_NAMES = ("localhost", "127.0.0.1")
_MOST_FOUND, _MOST_VALUES = 100, 20
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def build_app(versions: Mapping[str, LocalRecommender], hosts: Sequence[str] = LOOPBACK_NAMES) -> Starlette:
    """Return the application.

    Args:
        versions: recommenders by the name that the page shows; items are searched in the first one.
        hosts: host names that the page may be reached by, "*" for any.
    """
    first = next(iter(versions.values()))

    async def page(request: Request) -> Response:
        return FileResponse(_STATIC / "index.html")

    def tell_about(request: Request) -> Response:
        return JSONResponse(about(versions))

    def search(request: Request) -> Response:
        text, top_k = request.query_params.get("text", ""), number_of(request, "top_k", 20, _MOST_FOUND)
        return JSONResponse({"items": described(first.search(text, top_k))})

    def values(request: Request) -> Response:
        known = first.values(request.query_params.get("attribute", ""))
        text = request.query_params.get("text", "").casefold()
        found = [value for value in known if text in value.casefold()]
        return JSONResponse({"values": found[:_MOST_VALUES], "of": len(found)})

    async def items(request: Request) -> Response:
        [ids] = await read_object(request, item_ids=list)
        require_items("item_ids", ids)
        found = await run_in_threadpool(first.describe, ids)
        return JSONResponse({"items": described(found)})

    async def recommend(request: Request) -> Response:
        session, options = await read_object(request, session=list, options=dict)
        require_items("session", session, dict)
        return JSONResponse({"answers": await run_in_threadpool(answer, versions, session, options)})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/api/about", tell_about),
            Route("/api/search", search),
            Route("/api/values", values),
            Route("/api/items", items, methods=["POST"]),
            Route("/api/recommend", recommend, methods=["POST"]),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ],
        middleware=[
            Middleware(_WithHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False),
        ],
        exception_handlers={HTTPException: _refuse, M2TRecError: _fail},
    )


class _WithHeaders:
    """Middleware that adds headers to each answer, which forbid the page to load anything from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                also = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *also]
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _fail(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400 if isinstance(error, RefusedError) else 500)
