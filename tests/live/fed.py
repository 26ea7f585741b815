"""The page at / in a real browser, fed by a test: what the view renders, its modules, and a socket with given rows."""

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Self, cast

import orjson
import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import RequestFactory
from playwright.sync_api import Browser, Route, WebSocketRoute, expect

from backoffice.live import frames, views
from backoffice.live.board import Change, Rows
from tests.spine import until

ADDRESS = "http://pitboss.test"
# The page's clock stands still here, so that ages can be told to the second.
NOW = datetime(2026, 1, 2, 15, 30, 45, tzinfo=UTC)
WELL: dict[str, Rows] = {"live": {"redis": {"state": "connected"}, "workers": {"state": "heard"}}}


class Fed(closing["Fed"]):
    """``rows`` of each publication are its first snapshot; who sees the page may see everything."""

    def __init__(self, browser: Browser, rows: dict[str, Rows]) -> None:
        super().__init__(self)
        self._rows, self._told = WELL | rows, dict.fromkeys(rows, 0)
        self._context = browser.new_context(viewport={"width": 1280, "height": 800})
        self.page = self._context.new_page()
        self.page.clock.set_fixed_time(NOW)
        self.page.route("**/*", _serve)
        self.page.route_web_socket("**/live", self._connect)
        self.page.goto(ADDRESS)
        expect(self.page.locator("#connection")).to_have_text("Live")

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        self._context.close()

    def tell(self, publication: str, rows: Rows, drop: Iterable[str] = ()) -> None:
        """The next diff."""
        self._told[publication] += 1
        change = Change(rows, list(drop))
        self._socket.send(frames.diff(publication, self._told[publication], change, at=NOW, now=NOW))

    def shows(self, table: str, *lines: list[str]) -> None:
        """Heads and cells of the table with this id, from top to bottom, become these."""
        self.becomes(lambda: self._lines(table), list(lines), table)

    def says(self, **texts: str) -> None:
        """What stands in the elements with these ids (``_`` for ``-``) becomes this."""
        wanted = {name.replace("_", "-"): text for name, text in texts.items()}
        self.becomes(lambda: {name: self.page.locator(f"#{name}").inner_text() for name in wanted}, wanted, "the page")

    def states(self, table: str) -> list[list[str]]:
        """What the style of each cell follows."""
        found: list[list[str]] = self.page.locator(f"#{table} tbody tr").evaluate_all(
            "lines => lines.map((line) => [...line.cells].map((cell) => cell.dataset.state ?? ''))"
        )
        return found

    def _lines(self, table: str) -> list[list[str]]:
        found: list[list[str]] = self.page.locator(f"#{table} tr").evaluate_all(
            "lines => lines.map((line) => [...line.cells].map((cell) => cell.innerText))"
        )
        return found

    def becomes(self, read: Any, wanted: Any, what: str) -> None:
        try:
            until(lambda: read() == wanted, f"{what} is as wanted", 5)
        except TimeoutError:
            pytest.fail(f"{what}: {read()}, not {wanted}")

    def _connect(self, socket: WebSocketRoute) -> None:
        self._socket = socket
        socket.on_message(self._answer)

    def _answer(self, message: str | bytes) -> None:
        for name in orjson.loads(message).get("subscribe", []):
            self._socket.send(frames.snapshot(name, 0, self._rows.get(name, {}), at=NOW, now=NOW))


def _serve(route: Route) -> None:
    path = route.request.url.removeprefix(ADDRESS)
    if path == "/":
        route.fulfill(body=_page(), content_type="text/html")
    elif found := finders.find(path.removeprefix("/static/")):
        route.fulfill(path=found)
    else:
        route.abort()


def _page() -> bytes:
    request = RequestFactory().get("/")
    request.user = cast(User, SimpleNamespace(is_authenticated=True, has_perm=bool, get_username=lambda: "somebody"))
    return views.page(request).content
