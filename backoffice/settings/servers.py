"""The addresses of the servers, taken apart: every option in them reaches its client or is refused, none is dropped."""

import ssl
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from backoffice.contracts.address import address
from backoffice.kernel.errors import Rejected

# What is said of a connection to nobody when all that was asked for it is understood.
_UNDERSTOOD = "connection to server"
_DATABASE_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "passfile")

REDIS_OPTIONS = ("ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
_REDIS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_REQUIREMENTS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

KAFKA_VARIABLES = {
    "KAFKA_BOOTSTRAP_SERVERS": "bootstrap.servers",
    "KAFKA_SECURITY_PROTOCOL": "security.protocol",
    "KAFKA_SASL_MECHANISM": "sasl.mechanisms",
    "KAFKA_SASL_USERNAME": "sasl.username",
    "KAFKA_SASL_PASSWORD": "sasl.password",
    "KAFKA_SSL_CA_LOCATION": "ssl.ca.location",
    "KAFKA_SSL_CERTIFICATE_LOCATION": "ssl.certificate.location",
    "KAFKA_SSL_KEY_LOCATION": "ssl.key.location",
    "KAFKA_SSL_KEY_PASSWORD": "ssl.key.password",
}
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
# What the sessions of a process that serves pages are called.
WEB = "pitboss web"
# Other names that begin with KAFKA_ are those of Kafka's own scripts (KAFKA_OPTS, KAFKA_HEAP_OPTS) and not for us.
_MEANT_FOR_US = ("KAFKA_SECURITY_", "KAFKA_SASL_", "KAFKA_SSL_", "KAFKA_BOOTSTRAP_")
_REGISTRY_OTHERS = ("SCHEMA_REGISTRY_SSL", "SCHEMA_REGISTRY_BASIC", "SCHEMA_REGISTRY_BEARER", "SCHEMA_REGISTRY_USER")


@dataclass(frozen=True)
class Broker:
    """Redis as Celery takes it: the address alone, and what it is to ask of TLS."""

    url: str
    tls: dict[str, Any] | None


def forget_libpq(environ: MutableMapping[str, str]) -> None:
    """Take libpq's own variables out of the environment: the library reads them behind the settings' back.

    PGHOST, PGSSLMODE, PGOPTIONS, PGSERVICE and their like would say where and how we connect; DATABASE_URL does.
    """
    for name in [name for name in environ if name.startswith("PG")]:
        del environ[name]


def database(url: str) -> dict[str, Any]:
    """DATABASE_URL for Django, read by libpq itself, with all of libpq's options.

    Raises:
        ImproperlyConfigured: it is no address of PostgreSQL, or libpq would refuse something in it.
    """
    if urlsplit(url).scheme not in ("postgresql", "postgres"):
        _refuse("DATABASE_URL", "It has to begin with postgresql://; data is kept in PostgreSQL only.")
    try:
        found: dict[str, Any] = conninfo_to_dict(url)
    except psycopg.ProgrammingError as reason:
        # What it says of a wrong percent sign would repeat the password.
        told = str(reason).strip() if "percent-encoded" not in str(reason) else "a % in it encodes nothing"
        _refuse("DATABASE_URL", f"{told}; correct it.")
    if not found.get("dbname") and "service" not in found:
        _refuse("DATABASE_URL", "It names no database; add one after the host: postgresql://host:5432/pitboss.")
    for option in _DATABASE_FILES:
        if option in found and (option, found[option]) != ("sslrootcert", "system"):
            _must_exist("DATABASE_URL", option, found[option])
    _understood(found)
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    config = {name: str(found.pop(option, "")) for name, option in names.items()}
    return config | {"ENGINE": "django.db.backends.postgresql", "OPTIONS": found}


def bounded(options: str, silent_seconds: float, **seconds: float) -> str:
    """What a session begins with: Postgres takes back a transaction of which it hears nothing for so long.

    ``seconds`` are further limits by their names in Postgres. ``options`` are those of DATABASE_URL; what they say of
    any of them holds.
    """
    limits = {"idle_in_transaction_session_timeout": silent_seconds} | seconds
    return " ".join([*(f"-c {name}={1_000 * limit:.0f}" for name, limit in limits.items()), options]).strip()


def process_name(words: Sequence[str]) -> str:
    """What the sessions of a process are called, by the command that began it and none of its arguments."""
    program, *others = words or [""]
    if any(word.startswith("backoffice.asgi") for word in others):
        return WEB
    if Path(program).name == "manage.py":
        others = others[:1]
    elif "celery" in program:
        others = [word for word in others if word in ("worker", "beat")][:1]
    else:
        others = []
    return " ".join(["pitboss", *others])


def _understood(found: Mapping[str, Any]) -> None:
    """Refuse values that are only looked at when a connection is made, by making one to nobody."""
    if found.get("client_encoding", "UTF8") != "UTF8" or "replication" in found:
        _refuse("DATABASE_URL", "client_encoding is always UTF8 and replication is not for us; leave them out.")
    if not str(found.get("connect_timeout", 0)).isdigit():
        _refuse("DATABASE_URL", "connect_timeout is no number of seconds; correct it.")
    hosts = str(found.get("host", "")).split(",")
    asked = {option: value for option, value in found.items() if option not in ("host", "hostaddr", "service")}
    nobody = make_conninfo("", **(asked | {"host": ",".join("/nowhere" for _ in hosts)}))
    attempt = psycopg.pq.PGconn.connect_start(nobody.encode())
    told = attempt.get_error_message().strip()
    attempt.finish()
    if not told.startswith(_UNDERSTOOD):
        _refuse("DATABASE_URL", f"{told}; correct it.")


def redis_broker(url: str) -> Broker:
    """REDIS_URL for Celery. All other clients take the address as it is; these options mean the same to all of them.

    Raises:
        ImproperlyConfigured: it is no address of Redis, or one of its clients would drop something in it.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        _refuse("REDIS_URL", "It has to be like redis://host:6379/0, or rediss:// for TLS.")
    if not parts.path.strip("/").isdigit() and parts.path.strip("/"):
        _refuse("REDIS_URL", f"{parts.path.strip('/')} is no number of a database.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - set(REDIS_OPTIONS)):
        _refuse("REDIS_URL", f"{unknown[0]} is no option of it; there are {', '.join(REDIS_OPTIONS)}.")
    if parts.scheme == "redis" and options:
        _refuse("REDIS_URL", f"{next(iter(options))} is given, yet redis:// is not encrypted; use rediss://.")
    return Broker(parts._replace(query="").geturl(), _redis_tls(options) if parts.scheme == "rediss" else None)


def _redis_tls(options: Mapping[str, str]) -> dict[str, Any]:
    for option in _REDIS_FILES:
        if option in options:
            _must_exist("REDIS_URL", option, options[option])
    asked, checked = options.get("ssl_cert_reqs", "required"), options.get("ssl_check_hostname", "true")
    if asked not in _REQUIREMENTS:
        _refuse("REDIS_URL", f"ssl_cert_reqs is {asked}; it is one of {', '.join(_REQUIREMENTS)}.")
    if checked not in ("true", "false"):
        _refuse("REDIS_URL", f"ssl_check_hostname is {checked}; it is true or false.")
    files = {option: options[option] for option in _REDIS_FILES if option in options}
    return files | {"ssl_cert_reqs": _REQUIREMENTS[asked], "ssl_check_hostname": checked == "true"}


def registry(url: str, environ: Mapping[str, str]) -> str:
    """SCHEMA_REGISTRY_URL as it is, once it is understood.

    Raises:
        ImproperlyConfigured: it is not, or a variable beside it would be dropped.
    """
    if others := sorted(name for name in environ if name.startswith(_REGISTRY_OTHERS)):
        _refuse(others[0], "Login and certificates stand in SCHEMA_REGISTRY_URL itself; put it there.")
    try:
        address(url)
    except Rejected as reason:
        _refuse("SCHEMA_REGISTRY_URL", str(reason))
    return url


def kafka(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of Kafka's clients.

    Raises:
        ImproperlyConfigured: a variable is not understood, names no file, or is of no use beside the others.
    """
    if unknown := sorted(name for name in environ if name.startswith(_MEANT_FOR_US) and name not in KAFKA_VARIABLES):
        _refuse(unknown[0], f"There is no such variable; there are {', '.join(KAFKA_VARIABLES)}.")
    given = {name: environ[name] for name in KAFKA_VARIABLES if environ.get(name)}
    protocol = given.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    if protocol not in _PROTOCOLS:
        _refuse("KAFKA_SECURITY_PROTOCOL", f"It is {protocol}; it is one of {', '.join(_PROTOCOLS)}.")
    for kind, wanted in (("KAFKA_SASL_", "SASL"), ("KAFKA_SSL_", "SSL")):
        if wanted not in protocol and (idle := [name for name in given if name.startswith(kind)]):
            _refuse(idle[0], f"It is of no use while KAFKA_SECURITY_PROTOCOL is {protocol}; correct one of the two.")
    if "SASL" in protocol:
        _login(given)
    if ("KAFKA_SSL_KEY_LOCATION" in given) != ("KAFKA_SSL_CERTIFICATE_LOCATION" in given):
        _refuse("KAFKA_SSL_KEY_LOCATION", "Key and certificate go together; give KAFKA_SSL_CERTIFICATE_LOCATION too.")
    for name, value in given.items():
        if name.endswith("_LOCATION"):
            _must_exist(name, name, value)
    return {"bootstrap.servers": "127.0.0.1:9092"} | {KAFKA_VARIABLES[name]: value for name, value in given.items()}


def _login(given: Mapping[str, str]) -> None:
    for name in ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
        if name not in given:
            _refuse(name, f"{given['KAFKA_SECURITY_PROTOCOL']} asks for it, and it is not set.")
    if given["KAFKA_SASL_MECHANISM"] not in _MECHANISMS:
        _refuse("KAFKA_SASL_MECHANISM", f"It is one of {', '.join(_MECHANISMS)}.")


def _must_exist(variable: str, option: str, path: str) -> None:
    if not Path(path).exists():
        _refuse(variable, f"{option} names {path}, which is not there; correct the path.")


def _refuse(variable: str, reason: str) -> NoReturn:
    raise ImproperlyConfigured(f"{variable} cannot be used. {reason}")
