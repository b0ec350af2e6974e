"""The page's requests: each is answered on this machine, to this machine, and errors are sentences."""

import socket
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sdsiqa.errors import SdsiqaError, in_short
from sdsiqa.inference.app.pictures import LARGEST_FILE, MOST_PICTURES, MOST_PIXELS, SLIDERS, Pictures
from sdsiqa.inference.scorer import Scorer
from sdsiqa.runs.image_search import SUFFIXES

HOSTS = ("127.0.0.1", "localhost")
"""Names that a browser of this machine has for it; a page of the net whose name leads here has another."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""The page asks no other place for anything, and no other page may show or read what is here."""
WEB = {"": ("page.html", "text/html"), "page.css": ("page.css", "text/css"), "page.js": ("page.js", "text/javascript")}
LONGEST_NAME = 255


def serve(scorer: Scorer, checkpoint: str, door: socket.socket, secret: str) -> None:
    """Answer requests until a signal comes.

    Args:
        scorer: The model.
        checkpoint: Name of its file.
        door: Bound to the loopback address.
        secret: First part of every path: other people on this machine reach the port, too.
    """
    config = uvicorn.Config(
        application(Pictures(scorer), checkpoint, secret),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # faults are told on the page
        access_log=False,
        server_header=False,
        limit_concurrency=32,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[door])


def application(pictures: Pictures, checkpoint: str, secret: str) -> Starlette:
    """Give what answers the page.

    Args:
        pictures: What is held, and the model.
        checkpoint: Name of the model's file.
        secret: First part of every path.
    """
    about = {
        "model": pictures.scorer.name,
        "checkpoint": checkpoint,
        "benchmark": pictures.scorer.recipe.benchmark,
        "largest": LARGEST_FILE,
        "most": MOST_PICTURES,
        "pixels": MOST_PIXELS,
        "suffixes": sorted(SUFFIXES),
        "sliders": {name: {"label": slider.label, "strengths": slider.strengths} for name, slider in SLIDERS.items()},
    }

    async def show_about(request: Request) -> Response:
        return JSONResponse(about)

    async def show_all(request: Request) -> Response:
        return JSONResponse([pictures.facts(key) for key in list(pictures.held)])

    async def add(request: Request) -> Response:
        name = _name_of(request)
        data = await _body(request)
        if data is None:
            return _refusal(f"{name}: has more than {LARGEST_FILE // 2**20} MiB, the most that is taken; shrink it", 413)
        return await _answer(lambda: JSONResponse(pictures.add(name, data)))

    async def clear(request: Request) -> Response:
        await run_in_threadpool(pictures.clear)
        return JSONResponse([])

    async def thumbnail(request: Request) -> Response:
        return await _answer(lambda: Response(pictures.of(request.path_params["key"]).thumbnail, media_type="image/webp"))

    async def explained(request: Request) -> Response:
        return await _answer(lambda: JSONResponse(pictures.explained(request.path_params["key"])))

    async def score_at(request: Request) -> Response:
        place = _place(request)
        return _no_step() if place is None else await _answer(lambda: JSONResponse(pictures.score_at(*place)))

    async def view(request: Request) -> Response:
        place, part = _place(request), request.path_params["view"] == "part"
        if place is None:
            return _no_step()

        def shown() -> Response:
            content, kind = pictures.view(*place, part=part)
            return Response(content, media_type=kind)

        return await _answer(shown)

    routes = [
        *(Route(f"/{path}", _file(name, kind)) for path, (name, kind) in WEB.items()),
        Route("/about", show_about),
        Route("/pictures", show_all),
        Route("/pictures", add, methods=["POST"]),
        Route("/pictures", clear, methods=["DELETE"]),
        Route("/pictures/{key}/thumbnail", thumbnail),
        Route("/pictures/{key}/explained", explained),
        Route("/pictures/{key}/{slider}/{step:int}/score", score_at),
        Route("/pictures/{key}/{slider}/{step:int}/{view}", view),
    ]
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False), Middleware(_OwnPageOnly)]
    return Starlette(routes=[Mount(f"/{secret}", routes=routes)], middleware=middleware)


class _OwnPageOnly:
    """Refuses what another site's page asks for, and says to browsers that they must, too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        app = self.app
        if origin is not None and origin != f"http://{headers.get('host')}":
            app = PlainTextResponse("only the page of sdsiqa app itself is answered", 403)

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await app(scope, receive, sent)


async def _answer(work: Callable[[], Response]) -> Response:
    """Work in a thread; what goes wrong is a sentence."""
    try:
        return await run_in_threadpool(work)
    except SdsiqaError as error:
        return _refusal(str(error), 422)
    except Exception as error:  # one picture must not end the page
        reason = in_short(error, 300)
        return _refusal(f"this could not be done: {type(error).__name__}: {reason}", 500)


async def _body(request: Request) -> bytes | None:
    """Read what is sent; `None` if it is more than is taken."""
    told = request.headers.get("content-length", "0")
    if not told.isdecimal() or int(told) > LARGEST_FILE:
        return None
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > LARGEST_FILE:
                return None
    except ClientDisconnect:  # the page was closed: the rest is not there, and neither is a reader
        return b""
    return bytes(data)


def _name_of(request: Request) -> str:
    name = "".join(sign for sign in request.query_params.get("name", "") if sign.isprintable()).strip()
    return name[-LONGEST_NAME:] or "picture"


def _place(request: Request) -> tuple[str, str, int] | None:
    key, slider, step = (request.path_params[name] for name in ("key", "slider", "step"))
    return (key, slider, step) if slider in SLIDERS and step <= len(SLIDERS[slider].strengths) else None


def _no_step() -> Response:
    return _refusal("the slider has no such step; load the page again", 404)


def _refusal(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status)


def _file(name: str, kind: str) -> Callable[[Request], Any]:
    content = (files("sdsiqa.inference.app") / "web" / name).read_text(encoding="utf-8")

    async def show(request: Request) -> Response:
        return Response(content, media_type=kind)

    return show
