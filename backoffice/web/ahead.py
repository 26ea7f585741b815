"""Answers that are given ahead of Django, which gives each request a thread."""

from collections.abc import Awaitable, Callable
from typing import Any

from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

Application = Callable[[Any, Any, Any], Awaitable[None]]
# Those of the settings' middleware that only add headers: a browser can be led to these answers too.
HEADERS = (SecurityMiddleware, CSPMiddleware, XFrameOptionsMiddleware)


class Ahead:
    """Sends answers with the headers that those of Django have."""

    def __init__(self) -> None:
        self._headers = [add(_no_response) for add in HEADERS]

    async def send(self, request: HttpRequest, response: HttpResponse, send: Any) -> None:
        for each in self._headers:
            each.process_response(request, response)
        body = response.content
        response.headers["Content-Length"] = str(len(body))
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})


def _no_response(_: HttpRequest) -> HttpResponse:
    """Stands where a middleware wants to know who answers; here that is never asked."""
    raise NotImplementedError
