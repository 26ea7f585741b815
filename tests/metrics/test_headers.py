"""What the probes are told has the headers of every other answer, and is kept by no cache."""

import asyncio
from typing import Any

import pytest
from django.test import Client

from backoffice.asgi import application, pages
from backoffice.metrics.watched import WATCHED, Watched

SAFE = ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options")


def answer(path: str, method: str = "GET", over: Any = application) -> dict[str, str]:
    """The headers that the web's entry point sends, and the status."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    headers = [(b"host", b"127.0.0.1"), (b"x-forwarded-proto", b"https")]
    scope = {
        "type": "http", "method": method, "path": path, "query_string": b"", "headers": headers, "server": ("a", 1)
    }  # fmt: skip
    asyncio.run(over(scope, receive, send))
    told = {name.decode().title(): value.decode() for name, value in sent[0]["headers"]}
    return told | {"status": str(sent[0]["status"])}


@pytest.mark.parametrize("path", WATCHED)
def test_they_are_those_of_any_other_page(database: str, path: str) -> None:
    page = Client().get("/sign-in").headers

    told = answer(path)

    assert told["status"] == "200"
    assert {name: told.get(name) for name in SAFE} == {name: page[name] for name in SAFE}
    assert "no-store" in told["Cache-Control"]
    assert answer(path, "HEAD").keys() == told.keys()


def test_behind_a_proxy_that_ends_tls_they_say_so_too(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS, settings.SECURE_PROXY_SSL_HEADER = 60, ("HTTP_X_FORWARDED_PROTO", "https")

    assert answer("/health/live", over=Watched(pages))["Strict-Transport-Security"] == "max-age=60"
