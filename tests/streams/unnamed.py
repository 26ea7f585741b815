"""A broker that tells of its cluster, and no more than that: whom it names can be chosen."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

TOPIC = b"bet-events"
_PRODUCE, _FETCH, _METADATA, _VERSIONS, _PRODUCER_ID = 0, 1, 3, 18, 22
# API, oldest and newest version, without tagged fields; of some it only says that it speaks them.
_SPOKEN = (_PRODUCE, 0, 7), (_FETCH, 0, 10), (_METADATA, 0, 4), (_VERSIONS, 0, 0), (_PRODUCER_ID, 0, 1)
_UNSUPPORTED, _NO_LEADER, _COORDINATOR_LOADING = 35, 5, 14
_HOST = b"127.0.0.1"


class Unnamed:
    """Answers with itself as the cluster's only broker, or, while ``is_fenced``, with none at all."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.port: int = listening.getsockname()[1]
        self.kafka = {"bootstrap.servers": f"127.0.0.1:{self.port}", "log_level": "0"}
        self.is_fenced = False

    def run(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listening.accept()[:1], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as requests, suppress(OSError):
            while len(length := requests.read(4)) == 4:
                request = requests.read(*struct.unpack(">i", length))
                api, version, number = struct.unpack_from(">hhi", request)
                answer = self._answer(api, version)
                client.sendall(struct.pack(">ii", len(answer) + 4, number) + answer)

    def _answer(self, api: int, version: int) -> bytes:
        """What it does not speak is the end of a connection."""
        if api == _VERSIONS:
            return _versions(version)
        if api == _PRODUCER_ID:
            return struct.pack(">ihqh", 0, _COORDINATOR_LOADING, -1, -1)
        if api == _METADATA:
            return self._metadata()
        raise OSError(api)

    def _metadata(self) -> bytes:
        """Version 4: throttle, brokers, cluster, controller, topics."""
        me = struct.pack(">ih", 1, len(_HOST)) + _HOST + struct.pack(">ih", self.port, -1)
        brokers = struct.pack(">i", 0) if self.is_fenced else struct.pack(">i", 1) + me
        leader, error = (-1, _NO_LEADER) if self.is_fenced else (1, 0)
        partition = struct.pack(">hii", error, 0, leader) + struct.pack(">iiii", 1, 1, 1, 1)
        topic = struct.pack(">hh", 0, len(TOPIC)) + TOPIC + struct.pack(">?i", False, 1) + partition
        cluster = struct.pack(">h", 2) + b"id" + struct.pack(">i", leader)
        return struct.pack(">i", 0) + brokers + cluster + struct.pack(">i", 1) + topic


def _versions(asked: int) -> bytes:
    """Version 0, whatever was asked for: then with the word that we speak no other."""
    error = _UNSUPPORTED if asked else 0
    return struct.pack(">hi", error, len(_SPOKEN)) + b"".join(struct.pack(">hhh", *each) for each in _SPOKEN)


@contextmanager
def unnamed() -> Iterator[Unnamed]:
    """Running in this process."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        broker = Unnamed(listening)
        running = threading.Thread(target=broker.run, daemon=True)
        running.start()
        yield broker
        listening.shutdown(socket.SHUT_RDWR)
    running.join()
