"""Kafka clusters of a test's own: several brokers, brokers with TLS and passwords, brokers of the old protocol."""

import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from backoffice.localstack import ports
from backoffice.localstack.children import Children
from backoffice.localstack.layout import Layout
from backoffice.localstack.parts.kafka import PROPERTIES, Kafka
from backoffice.localstack.supervise import Part

REPLICATED = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # As with brokers, half of what Kafka takes by itself decides how soon a killed controller is replaced.
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.election.backoff.max.ms": "500",
}


class Node(Kafka):
    """One broker and controller of several. Of two lines for one property the later counts."""

    def __init__(
        self,
        layout: Layout,
        numbers: dict[str, int],
        number: int,
        count: int,
        words: list[str],
        more: Mapping[str, str],
    ) -> None:
        self.name = f"kafka-{number}"
        super().__init__(layout, numbers)
        self.listens = (self.name, f"controller-{number}")
        voters = ",".join(f"{each}@127.0.0.1:{numbers[f'controller-{each}']}" for each in range(1, count + 1))
        broker, controller = numbers[self.name], numbers[f"controller-{number}"]
        self._more = {
            "node.id": str(number),
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{broker}",
        } | {name: value.format(broker=broker, controller=controller) for name, value in more.items()}
        self._words = words

    def properties(self) -> str:
        numbers = {"broker": self.port, "controller": self.ports[self.listens[1]]}
        return PROPERTIES.format(**numbers) + "".join(f"{name}={value}\n" for name, value in self._more.items())

    def formatting(self) -> list[str]:
        return self._words


@contextmanager
def cluster(
    folder: Path, properties: Mapping[str, str], *, brokers: int = 1, words: tuple[str, ...] = ()
) -> Iterator[tuple[dict[int, Part], str]]:
    """The brokers by number, and their addresses. ``words`` are for the tool that makes their folders."""
    layout = Layout(folder)
    layout.make()
    names = [name for number in range(1, brokers + 1) for name in (f"kafka-{number}", f"controller-{number}")]
    numbers = ports.remembered(layout.run / "ports.json", names)
    made = ["-t", str(uuid.uuid4()), *words]
    parts = {
        number: Part(Node(layout, numbers, number, brokers, made, properties), Children(layout.servers))
        for number in range(1, brokers + 1)
    }
    with ThreadPoolExecutor(brokers) as pool:
        try:
            list(pool.map(Part.start, parts.values()))
            yield parts, ",".join(f"127.0.0.1:{numbers[f'kafka-{number}']}" for number in parts)
        finally:
            list(pool.map(Part.kill, parts.values()))
