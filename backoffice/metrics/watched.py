"""The addresses of whoever watches the platform, answered ahead of Django, which gives each request a thread."""

from collections.abc import Callable, Coroutine
from io import BytesIO
from typing import Any

from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from backoffice.web.ahead import Ahead, Application

from .exporting import metrics
from .health import facts, live, ready

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


class Watched:
    """Takes what is meant for these addresses and leaves all else to ``pages``, a wrong host and its refusal too."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages
        self._ahead = Ahead()

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
        await self._ahead.send(request, await view(request), send)
