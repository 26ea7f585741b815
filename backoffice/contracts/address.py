"""Where the schema registry is and how it is spoken to: all of it stands in its one address."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from backoffice.kernel.errors import Rejected

_FILES = ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location")
_OPTIONS = (*_FILES, "ssl_key_password", "proxy")


@dataclass(frozen=True)
class Address:
    """``name`` is the address without login and options, for people to read; ``client`` holds the client's settings."""

    name: str
    client: dict[str, str] = field(repr=False)
    proxy: str | None = field(repr=False)


def address(url: str) -> Address:
    """Take an address apart: ``https://user:password@host:8081/path?ssl_ca_location=/etc/registry.pem``.

    Raises:
        Rejected: something in it is not understood, or names a file that is not there.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "," in parts.netloc:
        raise Rejected("It is one address that begins with http:// or https:// and names a host; correct it.")
    options = _options(parts.query)
    if parts.scheme == "http" and (given := [name for name in options if name.startswith("ssl_")]):
        raise Rejected(f"{given[0]} is given, yet nothing is encrypted over http://; use https://, or leave it out.")
    if "ssl_certificate_location" not in options and {"ssl_key_location", "ssl_key_password"} & options.keys():
        raise Rejected("A key is given without its certificate; add ssl_certificate_location.")
    name = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")
    client = {"url": name} | _login(parts.username, parts.password)
    client |= {f"{option.replace('_', '.')}": value for option, value in options.items() if option != "proxy"}
    if parts.scheme == "https" and (trusted := _system_certificates()):
        client.setdefault("ssl.ca.location", trusted)
    return Address(name, client, options.get("proxy"))


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(options.keys() - set(_OPTIONS)):
        raise Rejected(f"{unknown[0]} is no option of it; there are {', '.join(_OPTIONS)}.")
    for option in options.keys() & set(_FILES):
        if not Path(options[option]).exists():
            raise Rejected(f"{option} names {options[option]}, which is not there; correct the path.")
    return options


def _login(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    if password is None:
        raise Rejected("It names a user without a password; write user:password@host.")
    return {"basic.auth.user.info": f"{unquote(user)}:{unquote(password)}"}


def _system_certificates() -> str | None:
    """The authorities that this machine trusts; the client's own list does not know a company's."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath
