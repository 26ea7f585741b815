"""The addresses of whoever watches the platform, answered ahead of Django, which gives each request a thread."""

from collections.abc import Awaitable, Callable, Coroutine
from io import BytesIO
from typing import Any

from csp.middleware import CSPMiddleware
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.views.decorators.cache import never_cache

from .exporting import metrics
from .health import facts, live, ready

Application = Callable[[Any, Any, Any], Awaitable[None]]
View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]
# What was true a moment ago must not be told by a cache in between.
WATCHED: dict[str, View] = {
    path: never_cache(view)
    for path, view in {
        "/health/live": live,
        "/health/ready": ready,
        "/health/facts": facts,
        "/metrics": metrics,
    }.items()
}
# Those of the settings' middleware that only add headers: a browser can be led to these addresses too.
HEADERS = (SecurityMiddleware, CSPMiddleware, XFrameOptionsMiddleware)


class Watched:
    """Takes what is meant for these addresses and leaves all else to ``pages``, a wrong host and its refusal too."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages
        self._headers = [add(_no_response) for add in HEADERS]

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
        response = await view(request)
        for each in self._headers:
            each.process_response(request, response)
        await _send(response, scope["method"], send)


def _no_response(_: HttpRequest) -> HttpResponse:
    """Stands where a middleware wants to know who answers; here that is never asked."""
    raise NotImplementedError


async def _send(response: HttpResponse, method: str, send: Any) -> None:
    body = response.content
    response.headers["Content-Length"] = str(len(body))
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body if method == "GET" else b""})
