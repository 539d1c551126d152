"""The dashboard in a browser of this machine: `setgf-tui --serve`.

Served by textual-serve (the extra `serve`), bound to localhost. Other users of the machine reach
localhost, too, and so does every page open in the browser: what may cancel jobs is therefore given
only to who has the token that was printed, under the name localhost, from pages of its own.
"""

from __future__ import annotations

import logging
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setgf.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web

HOST = "localhost"
DEFAULT_PORT = 8000
PAGES = Path(__file__).parent / "pages"
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; "
    "connect-src 'self' ws://localhost:{port} ws://127.0.0.1:{port}; frame-ancestors 'none'"
)
MISSING = (
    "Serving the dashboard needs the package textual-serve. Install it with "
    "`pip install 'setgf[serve]'`."
)

Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


def serve(options: Sequence[str], port: int, *, token: str | None = None) -> None:
    """Serve the dashboard until ctrl+c; every page that is opened is a dashboard of its own.

    Args:
        options: of `setgf-tui`, for each dashboard.
        port: to listen at.
        token: that opens it; None makes one.

    Raises:
        ConfigError: textual-serve is not installed, or the port is taken.
    """
    try:
        server = _server(options, port, token or secrets.token_urlsafe(16))
    except ImportError as error:
        raise ConfigError(MISSING) from error
    try:
        server.serve()
    except OSError as error:
        raise ConfigError(
            f"Port {port} can't be listened at ({error.strerror or error}). "
            "Name another with `--port`."
        ) from error


def _server(options: Sequence[str], port: int, token: str) -> Any:
    from aiohttp import web
    from textual_serve.server import Server

    guard = Guard(port, token)

    class DashboardServer(Server):
        """The server of textual-serve behind a guard, with a page that loads nothing from afar."""

        def initialize_logging(self) -> None:
            logging.basicConfig(level="WARNING", format="%(message)s")

        async def _make_app(self) -> web.Application:
            app = await super()._make_app()
            app.middlewares.append(web.middleware(guard))
            return app

        async def on_startup(self, app: web.Application) -> None:
            del app
            address = f"http://{HOST}:{port}/?token={token}"
            print(  # noqa: T201 - this is the command line
                f"The dashboard is at {address}\nOnly this machine reaches it; ctrl+c ends it.",
                flush=True,
            )

    command = shlex.join([sys.executable, "-m", "tui.app", *options])
    return DashboardServer(command, host=HOST, port=port, title="setgf", templates_path=str(PAGES))


class Guard:
    """Lets in who has the token: once in the address, then as a cookie."""

    def __init__(self, port: int, token: str) -> None:
        self._token = token
        self._cookie = f"setgf_{port}"  # cookies do not know ports
        self._policy = POLICY.format(port=port)
        self._hosts = {f"{HOST}:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or refuse it."""
        from aiohttp import web

        origin = request.headers.get("Origin")
        is_ours = origin is None or origin.removeprefix("http://") in self._hosts
        if request.host not in self._hosts or not is_ours:
            return web.Response(status=403, text="This dashboard answers to localhost only.\n")
        if self._is_right(request.query.get("token")):
            response = web.HTTPSeeOther(request.path)  # out of the address bar and the history
            response.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
            return response
        if not self._is_right(request.cookies.get(self._cookie)):
            text = "Open the whole address that `setgf-tui --serve` printed, with its token.\n"
            return web.Response(status=403, text=text)
        answer = await handler(request)
        if not answer.prepared:
            answer.headers["Content-Security-Policy"] = self._policy
            answer.headers["Referrer-Policy"] = "no-referrer"
            answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    def _is_right(self, given: str | None) -> bool:
        return given is not None and secrets.compare_digest(given.encode(), self._token.encode())
