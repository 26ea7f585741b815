"""Apicurio Registry, which keeps the contracts in PostgreSQL and speaks the Confluent protocol."""

import urllib.error
import urllib.request

from .. import downloads
from ..layout import cache_folder
from .base import Server, fresh_folder, java
from .postgres import REGISTRY_DATABASE, USER

JVM = [
    "-Xmx160m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:MaxMetaspaceSize=192m",
    "-XX:-UsePerfData",
]
SETTINGS = {
    "quarkus.http.host": "127.0.0.1",
    "quarkus.management.host": "127.0.0.1",
    "quarkus.http.access-log.enabled": "false",
    "apicurio.storage.kind": "sql",
    "apicurio.storage.sql.kind": "postgresql",
    "apicurio.datasource.username": USER,
    "apicurio.datasource.password": USER,
    "apicurio.datasource.jdbc.initial-size": "2",
    "apicurio.datasource.jdbc.min-size": "2",
    "apicurio.datasource.jdbc.max-size": "10",
    # Otherwise it hands out connections of before a restart of PostgreSQL, and answers 500 for half a minute.
    "quarkus.datasource.postgresql.jdbc.validate-on-borrow": "true",
    "apicurio.ccompat.max-subjects": "100000",
    "apicurio.log.level": "WARN",
    'quarkus.log.category."io.apicurio".level': "WARN",
}


class Registry(Server):
    name = "registry"
    title = "The schema registry"
    listens = ("registry", "management")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def giving_up(self) -> str:
        return "All that it keeps stands in PostgreSQL; its own folder may be deleted, and nothing is lost."

    def fetch(self) -> None:
        downloads.unpacked(downloads.REGISTRY_LOCK, cache_folder())

    def prepare(self) -> None:
        fresh_folder(self.folder / "tmp")

    def command(self) -> list[str]:
        settings = SETTINGS | {
            "java.io.tmpdir": "tmp",
            "quarkus.http.port": str(self.port),
            "quarkus.management.port": str(self.ports["management"]),
            "apicurio.datasource.url": f"jdbc:postgresql://127.0.0.1:{self.ports['postgres']}/{REGISTRY_DATABASE}",
        }
        home = downloads.unpacked(downloads.REGISTRY_LOCK, cache_folder())
        return [
            java(),
            *JVM,
            *(f"-D{key}={value}" for key, value in settings.items()),
            "-jar",
            str(home / "quarkus-run.jar"),
        ]

    def healthy(self) -> bool:
        """Ready by its own word, and able to look up an id: after a restart of PostgreSQL only the second is true."""
        ready = _status(f"http://127.0.0.1:{self.ports['management']}/health/ready") == 200
        return ready and _status(f"{self.url}/schemas/ids/0") in (200, 404)


def _status(url: str) -> int:
    """0 where nobody answers."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=3) as response:
            return int(response.status)
    except urllib.error.HTTPError as answer:
        return answer.code
    except OSError:
        return 0
