"""A registry that can be made anew while it is asked, and refuse an id as other makes of it do; ours can do neither."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.test import override_settings

from backoffice.contracts.definitions import schema_text

Answer = tuple[HTTPStatus, Any]
NOT_FOUND: Answer = (HTTPStatus.NOT_FOUND, {"error_code": 40403, "message": "not found"})


class Pretended:
    """``ids`` has the record of each id, ``refusals`` what is answered to others; ``asked`` are the paths."""

    def __init__(self, ids: dict[int, str]) -> None:
        self.ids, self.refusals, self.asked = ids, dict[int, Answer](), list[str]()

    def answer(self, path: str, body: dict[str, Any]) -> Answer:
        self.asked.append(path)
        first, *rest = path.strip("/").split("/")
        if first == "schemas":
            return self._schema(int(rest[-1]))
        if not rest:
            return HTTPStatus.OK, []
        for number, record in self.ids.items():
            if body["schema"] == schema_text(record):
                return HTTPStatus.OK, {"id": number, "subject": rest[0], "version": 1, "schema": body["schema"]}
        return NOT_FOUND

    def _schema(self, number: int) -> Answer:
        if number in self.ids:
            return HTTPStatus.OK, {"schema": schema_text(self.ids[number])}
        return self.refusals.get(number, NOT_FOUND)


@contextmanager
def pretending(ids: dict[int, str], *, believed: float = 60.0) -> Iterator[Pretended]:
    """The registry of the settings is a pretended one; what it says of an id is ``believed`` for so many seconds."""
    pretended = Pretended(ids)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, told = pretended.answer(self.path.partition("?")[0], json.loads(sent or "{}"))
            body = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the name that the server calls

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with override_settings(
            SCHEMA_REGISTRY_URL=f"http://127.0.0.1:{server.server_port}", SCHEMAS_BELIEVED=timedelta(seconds=believed)
        ):
            yield pretended
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
