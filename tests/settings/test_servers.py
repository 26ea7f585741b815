"""What stands in an address or a variable is taken to the client or refused with a sentence; nothing is dropped."""

import os
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from django.core.exceptions import ImproperlyConfigured

from backoffice.settings import servers

HERE = str(Path(__file__))


def test_every_option_of_the_database_reaches_the_driver() -> None:
    url = "postgresql://u:p%40w@a:1,b:2/name?sslmode=require&options=-c%20geqo%3Doff&target_session_attrs=read-write"

    config = servers.database(
        f"{url}&connect_timeout=3&channel_binding=require&sslcert={quote(HERE)}&sslkey={quote(HERE)}"
    )

    assert config == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "name",
        "USER": "u",
        "PASSWORD": "p@w",
        "HOST": "a,b",
        "PORT": "1,2",
        "OPTIONS": {
            "sslmode": "require",
            "options": "-c geqo=off",
            "target_session_attrs": "read-write",
            "connect_timeout": "3",
            "channel_binding": "require",
            "sslcert": HERE,
            "sslkey": HERE,
        },
    }


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://a/n?sslmod=require", 'invalid URI query parameter: "sslmod"'),
        ("postgresql://a/n?conn_max_age=600", "conn_max_age"),
        ("postgresql://a/n?sslmode=sometimes", 'invalid sslmode value: "sometimes"'),
        ("postgresql://a/n?target_session_attrs=best", "invalid target_session_attrs"),
        ("postgresql://a/n?channel_binding=yes", "invalid channel_binding"),
        ("postgresql://a/n?connect_timeout=soon", "connect_timeout is no number"),
        ("postgresql://a/n?client_encoding=LATIN1", "client_encoding is always UTF8"),
        ("postgresql://a/n?sslrootcert=/not/there.pem", "sslrootcert names /not/there.pem, which is not there"),
        ("postgresql://a:1,b:2,c/n?port=1,2", "could not match"),
        ("postgresql://a:54x/n", "invalid integer value"),
        ("postgresql://a", "It names no database"),
        ("mysql://a/n", "It has to begin with postgresql://"),
    ],
)
def test_what_the_database_would_not_honour_is_refused(url: str, says: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"DATABASE_URL cannot be used. .*{says}"):
        servers.database(url)


def test_a_wrong_percent_sign_is_refused_without_the_password() -> None:
    with pytest.raises(ImproperlyConfigured, match="encodes nothing") as refusal:
        servers.database("postgresql://u:secret%zz@a/n")
    assert "secret" not in str(refusal.value)


def test_redis_over_tls_checks_the_certificate_unless_it_is_told_otherwise() -> None:
    assert servers.redis_broker("redis://:pw@a:1/3") == servers.Broker("redis://:pw@a:1/3", None)
    assert servers.redis_broker("rediss://:pw@a:1/3").tls == {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_check_hostname": True,
    }
    told = servers.redis_broker(f"rediss://a/0?ssl_cert_reqs=none&ssl_check_hostname=false&ssl_ca_certs={HERE}")
    assert told == servers.Broker(
        "rediss://a/0", {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False, "ssl_ca_certs": HERE}
    )


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://a/0?socket_timeout=5", "socket_timeout is no option"),
        ("redis://a/0?ssl_cert_reqs=required", "redis:// is not encrypted; use rediss://"),
        ("rediss://a/0?ssl_cert_reqs=maybe", "ssl_cert_reqs is maybe"),
        ("rediss://a/0?ssl_ca_certs=/not/there.pem", "ssl_ca_certs names /not/there.pem"),
        ("rediss://a/0?ssl_check_hostname=no", "ssl_check_hostname is no"),
        ("redis://a/first", "first is no number of a database"),
        ("unix:///tmp/redis.sock", "It has to be like redis://host:6379/0"),
    ],
)
def test_what_a_client_of_redis_would_drop_is_refused(url: str, says: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"REDIS_URL cannot be used. .*{says}"):
        servers.redis_broker(url)


SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "u",
    "KAFKA_SASL_PASSWORD": "p",
}


def test_every_variable_of_kafka_reaches_its_clients() -> None:
    given = SASL | {name: HERE for name in servers.KAFKA_VARIABLES if name.endswith("LOCATION")}
    given |= {"KAFKA_BOOTSTRAP_SERVERS": "a:1,b:2", "KAFKA_SSL_KEY_PASSWORD": "k", "KAFKA_TOPIC_PREFIX": "x."}

    assert servers.kafka(given) == {option: given[variable] for variable, option in servers.KAFKA_VARIABLES.items()}
    assert servers.kafka({}) == {"bootstrap.servers": "127.0.0.1:9092"}
    assert servers.kafka({"KAFKA_OPTS": "-x", "KAFKA_HEAP_OPTS": "-Xmx1g", "KAFKA_LOG_DIRS": "/x"}) == servers.kafka({})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL cannot be used. It is TLS"),
        ({"KAFKA_SSL_CA_LOCATION": HERE}, "KAFKA_SSL_CA_LOCATION cannot be used. It is of no use while"),
        ({"KAFKA_SASL_USERNAME": "u"}, "KAFKA_SASL_USERNAME cannot be used. It is of no use while"),
        (SASL | {"KAFKA_SASL_PASSWORD": ""}, "KAFKA_SASL_PASSWORD cannot be used. SASL_SSL asks for it"),
        (SASL | {"KAFKA_SASL_MECHANISM": "GSSAPI"}, "KAFKA_SASL_MECHANISM cannot be used. It is one of"),
        (SASL | {"KAFKA_SSL_CA_LOCATION": "/not/there"}, "names /not/there, which is not there"),
        (SASL | {"KAFKA_SSL_KEY_LOCATION": HERE}, "Key and certificate go together"),
        ({"KAFKA_SSL_CERT": HERE}, "KAFKA_SSL_CERT cannot be used. There is no such variable"),
    ],
)
def test_what_kafka_would_not_honour_is_refused(given: dict[str, str], says: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=says):
        servers.kafka(given)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://a:1?ssl_ca_location=/x", "nothing is encrypted over http://|/x, which is not there"),
        ("https://a:1?ca=/x", "ca is no option"),
        ("https://a:1?ssl_ca_location=/not/there", "names /not/there, which is not there"),
        ("https://user@a:1", "a user without a password"),
        (f"https://a:1?ssl_key_location={HERE}", "A key is given without its certificate"),
        ("http://a:1,http://b:1", "one address"),
        ("a:8081", "begins with http"),
    ],
)
def test_what_the_registry_would_not_honour_is_refused(url: str, says: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"SCHEMA_REGISTRY_URL cannot be used. .*({says})"):
        servers.registry(url, {})


def test_a_login_beside_the_registrys_address_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO cannot be used"):
        servers.registry("http://a:1", {"SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO": "u:p"})


def test_a_process_with_a_setting_that_is_not_understood_does_not_start() -> None:
    environ = os.environ | {"DATABASE_URL": "postgresql://u:secret@a/n?sslmod=require"}
    command = [sys.executable, "manage.py", "check"]

    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert 'DATABASE_URL cannot be used. invalid URI query parameter: "sslmod"' in done.stderr
    assert "secret" not in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["manage.py", "reconcile", "--full"], "pitboss reconcile"),
        (
            ["/usr/lib/celery/__main__.py", "--quiet", "-A", "backoffice", "worker", "--streams", "all"],
            "pitboss worker",
        ),
        (["/usr/lib/celery/__main__.py", "-A", "backoffice", "beat"], "pitboss beat"),
        (["/usr/bin/uvicorn", "backoffice.asgi:application", "--port", "8000"], "pitboss web"),
        (["manage.py"], "pitboss"),
        (["-c", "streams", "resume", "a secret"], "pitboss"),
        ([], "pitboss"),
    ],
)
def test_sessions_are_called_by_the_command_and_not_by_its_arguments(words: list[str], name: str) -> None:
    assert servers.process_name(words) == name


def test_the_bound_of_a_silent_transaction_stands_before_what_the_address_says() -> None:
    assert servers.bounded("", 300.0) == "-c idle_in_transaction_session_timeout=300000"
    own = "-c idle_in_transaction_session_timeout=7s"
    assert servers.bounded(own, 0.5) == f"-c idle_in_transaction_session_timeout=500 {own}"
