"""The addresses of whoever watches the platform, answered ahead of Django, which gives each request a thread."""

from collections.abc import Awaitable, Callable, Coroutine
from io import BytesIO
from typing import Any

from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

from .exporting import metrics
from .health import facts, live, ready

Application = Callable[[Any, Any, Any], Awaitable[None]]
WATCHED: dict[str, Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]] = {
    "/health/live": live,
    "/health/ready": ready,
    "/health/facts": facts,
    "/metrics": metrics,
}


class Watched:
    """Takes what is meant for these addresses and leaves all else to ``pages``, a wrong host and its refusal too."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        view = WATCHED.get(scope["path"])
        if view is None or scope["method"] not in ("GET", "HEAD"):
            await self._pages(scope, receive, send)
            return
        request = ASGIRequest(scope, BytesIO())
        try:
            request.get_host()
        except DisallowedHost:
            await self._pages(scope, receive, send)
            return
        await _send(await view(request), scope["method"], send)


async def _send(response: HttpResponse, method: str, send: Any) -> None:
    body = response.content
    response.headers["Content-Length"] = str(len(body))
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body if method == "GET" else b""})
