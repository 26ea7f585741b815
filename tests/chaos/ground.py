"""The servers that all seeds share: a stack, and a cluster of three brokers for every fifth seed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from backoffice.localstack.stack import Stack, running_stack
from backoffice.localstack.supervise import Part
from tests import databases
from tests.faults.clusters import REPLICATED, cluster

from .second import MAKE_TABLES

TEMPLATE = "template_chaos"
EVERY = 5


@dataclass(frozen=True)
class Ground:
    """What one seed plays on. ``brokers`` are those of the cluster of three at ``addresses``, by number."""

    stack: Stack
    brokers: Mapping[int, Part] = field(default_factory=dict)
    addresses: str = ""

    def parts(self) -> list[Part]:
        return [*self.stack.parts.values(), *self.brokers.values()]

    def environ(self) -> dict[str, str]:
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": self.addresses} if self.addresses else {}
        return self.stack.environ() | kafka


@contextmanager
def grounds(folder: Path) -> Iterator[Callable[[int], Ground]]:
    """The ground of each seed; the three brokers are started once they are needed."""
    three: list[Ground] = []

    def of(seed: int) -> Ground:
        if seed % EVERY:
            return Ground(stack)
        if not three:
            three.append(Ground(stack, *exits.enter_context(cluster(folder / "three", REPLICATED, brokers=3))))
        return three[0]

    with running_stack(folder / "stack", outside={}) as stack, ExitStack() as exits:
        url = stack.environ()["DATABASE_URL"]
        databases.migrated(url, TEMPLATE)
        with databases.administration(databases.beside(url, TEMPLATE)) as connection:
            connection.execute(MAKE_TABLES.encode())
        yield of
