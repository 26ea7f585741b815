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
from backoffice.kernel.errors import Rejected, Retryable
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


HERE = str(Path(__file__))


@pytest.mark.parametrize(
    ("url", "name", "client"),
    [
        ("http://a", "http://a", {}),
        ("http://a:8081/", "http://a:8081", {}),
        ("http://a:8081/base/#part", "http://a:8081/base", {}),
        ("http://a/base~//", "http://a/base~", {}),
        ("http://key:se%40cret@a:8081", "http://a:8081", {"basic.auth.user.info": "key:se@cret"}),
        ("http://k%3Ay:pw@a", "http://a", {"basic.auth.user.info": "k:y:pw"}),
        ("http://:pw@a", "http://a", {"basic.auth.user.info": ":pw"}),
        ("http://key:@a", "http://a", {"basic.auth.user.info": "key:"}),
        (f"https://a/b?ssl_ca_location={HERE}", "https://a/b", {"ssl.ca.location": HERE}),
        (
            f"https://a?ssl_ca_location={HERE}&ssl_certificate_location={HERE}&ssl_key_location={HERE}"
            "&ssl_key_password=p%26w",
            "https://a",
            {
                "ssl.ca.location": HERE, "ssl.certificate.location": HERE, "ssl.key.location": HERE,
                "ssl.key.password": "p&w",
            },
        ),
        (
            f"https://a?ssl_ca_location={HERE}&ssl_certificate_location={HERE}&ssl_key_password=",
            "https://a",
            {"ssl.ca.location": HERE, "ssl.certificate.location": HERE, "ssl.key.password": ""},
        ),
    ],
)  # fmt: skip
def test_all_of_an_address_reaches_the_client(url: str, name: str, client: dict[str, str]) -> None:
    found = address(url)

    assert (found.name, found.client, found.proxy) == (name, {"url": name} | client, None)


def test_a_proxy_is_named_apart() -> None:
    found = address("http://a/b?proxy=http://u:secret@proxy:3128")

    assert (found.name, found.client, found.proxy) == (
        "http://a/b", {"url": "http://a/b"}, "http://u:secret@proxy:3128",
    )  # fmt: skip
    assert "secret" not in repr(found)


def test_those_whom_this_machine_trusts_are_asked_where_the_address_names_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, folder = tmp_path / "all.pem", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))

    assert address("https://a").client == {"url": "https://a", "ssl.ca.location": str(file)}
    assert address(f"https://a?ssl_ca_location={HERE}").client["ssl.ca.location"] == HERE
    assert address("http://a").client == {"url": "http://a"}
    file.unlink()
    assert address("https://a").client["ssl.ca.location"] == str(folder)
    folder.rmdir()
    assert address("https://a").client == {"url": "https://a"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "It is one address that begins with http:// or https:// and names a host"),
        ("a:8081", "It is one address"),
        ("ftp://a", "It is one address"),
        ("http://", "It is one address"),
        ("https://:8081", "It is one address"),
        ("http://a:8081,http://b:8081", "It is one address"),
        ("http://a,b", "It is one address"),
        ("http://a?timeout=3", "timeout is no option of it; there are ssl_ca_location, ssl_certificate_location, ssl_"),
        ("http://a?z=1&b=", "b is no option of it"),
        (f"http://a?ssl_ca_location={HERE}", "ssl_ca_location is given, yet nothing is encrypted over http://"),
        ("http://a?ssl_key_password=x", "ssl_key_password is given, yet nothing is encrypted"),
        ("https://a?ssl_ca_location=/not/there", "ssl_ca_location names /not/there, which is not there"),
        ("https://a?ssl_certificate_location=/not/there", "ssl_certificate_location names /not/there"),
        (f"https://a?ssl_certificate_location={HERE}&ssl_key_location=/not/there", "ssl_key_location names /not/there"),
        (f"https://a?ssl_key_location={HERE}", "A key is given without its certificate"),
        ("https://a?ssl_key_password=x", "A key is given without its certificate"),
        ("http://key@a", "It names a user without a password"),
    ],
)
def test_what_an_address_cannot_mean_is_refused_in_words(url: str, says: str) -> None:
    with pytest.raises(Rejected) as refusal:
        address(url)

    assert str(refusal.value).startswith(says)


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
