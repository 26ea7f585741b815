"""How the registry is spoken to: over TLS, with a login, and never through a proxy of the shell."""

import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from backoffice.contracts.address import address
from backoffice.contracts.registry import Registry
from backoffice.kernel.errors import Retryable
from tests.tls import HOST, Authority, door


@contextmanager
def listening() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The port of a server that has no subjects, and for each request its path and its login."""
    asked: list[tuple[str, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization", "")))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer((HOST, 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9"])
def test_a_proxy_of_the_shell_is_never_asked(
    registry_url: str, monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str
) -> None:
    monkeypatch.setenv(variable, proxy)

    Registry(registry_url).reach()


def test_a_proxy_that_the_address_names_is_asked() -> None:
    with listening() as (port, asked):
        Registry(f"http://registry.invalid:8081/base?proxy=http://{HOST}:{port}").reach()

    assert urlsplit(asked[0][0]).netloc == "registry.invalid:8081"
    assert urlsplit(asked[0][0]).path == "/base/subjects"


def test_the_login_is_sent_and_told_to_nobody() -> None:
    with listening() as (port, asked):
        registry = Registry(f"http://key:se%40cret@{HOST}:{port}")
        registry.reach()
    with pytest.raises(Retryable) as away:
        registry.reach()

    assert asked[0][1] == f"Basic {b64encode(b'key:se@cret').decode()}"
    assert f"http://{HOST}:{port} does not answer" in str(away.value)
    assert "cret" not in str(away.value)
    assert "cret" not in repr(address(f"http://key:se%40cret@{HOST}:{port}"))


def test_the_registry_is_believed_by_its_authority(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    visitor = authority.issue("visitor")
    context = authority.context(authority.issue("registry"), clients_too=True)
    certificate = f"ssl_certificate_location={visitor.certificate}&ssl_key_location={visitor.key}"
    with listening() as (server, asked), door((HOST, server), context) as port:
        Registry(f"https://{HOST}:{port}?ssl_ca_location={authority.certificate}&{certificate}").reach()
        assert len(asked) == 1

        for options in (
            f"ssl_ca_location={stranger.certificate}&{certificate}",
            f"ssl_ca_location={authority.certificate}",
            certificate,
        ):
            with pytest.raises(Retryable, match="does not answer"):
                Registry(f"https://{HOST}:{port}?{options}").reach()
        assert len(asked) == 1


def test_without_an_authority_those_of_this_machine_are_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    with listening() as (server, _), door((HOST, server), authority.context(authority.issue("registry"))) as port:
        Registry(f"https://{HOST}:{port}").reach()
