"""What can go wrong. Each returns when it is over, and says what it was."""

from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, TopicMetadata
from django.conf import settings
from django.db import connections

from tests.spine import frozen, until

from .outgoing import unsendable_row
from .rebuilding import rebuild_beside_rebuild
from .scene import WORKERS, Scene

Fault = Callable[[Scene], str]
# Whoever finds an id that nobody knows has to ask the registry, and waits for it.
_ASKS = "unknown_schema_id"


def worker_killed(scene: Scene) -> str:
    scene.kill_and_replace(scene.any_worker())
    return "worker killed"


def all_workers_killed(scene: Scene) -> str:
    for worker in list(scene.workers):
        scene.kill_and_replace(worker)
    return "all workers killed"


def worker_frozen(scene: Scene) -> str:
    with frozen(scene.any_worker()):
        scene.wait(0.5, 9.0)
    return "worker frozen"


def worker_joined(scene: Scene) -> str:
    """A third one takes over its share; later one of the three goes."""
    if len(scene.workers) > WORKERS:
        scene.wait_joined()
        leaving = scene.any_worker()
        leaving.terminate()
        leaving.wait(30)
        scene.workers.remove(leaving)
        return "worker left"
    scene.hire()
    scene.wait_joined()
    return "worker joined"


def clash(scene: Scene) -> str:
    scene.load.clash(scene.rng.randrange(5, 40))
    return "clash"


def registry_away(scene: Scene) -> str:
    """All workers are killed while there is none, and others start."""
    kinds, scene.load.kinds = scene.load.kinds, tuple(kind for kind in scene.load.kinds if kind != _ASKS)
    scene.all_stored()
    registry = scene.stack.part("registry")
    registry.kill()
    all_workers_killed(scene)
    scene.recovery()
    registry.start()
    scene.load.kinds = kinds
    return "registry away"


def broker_of_three(scene: Scene) -> str:
    """The leader of a partition is killed; while it is dead the others do its work."""
    wallet = _topics()[f"{scene.spine.prefix}wallet-transactions"]
    leader = scene.brokers[scene.rng.choice(list(wallet.partitions.values())).leader]
    leader.kill()
    scene.recovery()
    leader.start()
    # With another one dead before that, two copies of something would be gone.
    until(lambda: _in_sync(scene), "all brokers have all of it")
    return "broker of three"


def _in_sync(scene: Scene) -> bool:
    with suppress(KafkaException):
        partitions = [p for topic in _topics().values() for p in topic.partitions.values()]
        return all(len(partition.isrs) == len(scene.brokers) for partition in partitions)
    return False


def _topics() -> dict[str, TopicMetadata]:
    return AdminClient({**settings.KAFKA}).list_topics(timeout=10).topics


def _server(name: str, how: str) -> Fault:
    def fault(scene: Scene) -> str:
        part = scene.stack.part(name)
        part.kill() if how == "killed" else part.stop()
        scene.wait(0.0, 3.0)
        part.start()
        # The command that somebody gives next is a process of its own, with a connection of its own.
        connections.close_all()
        return f"{name} {how}"

    return fault


_HOW = ("killed", "stopped")
_KAFKA = tuple(_server("kafka", how) for how in _HOW)
_ANYWHERE = (
    worker_killed,
    clash,
    all_workers_killed,
    unsendable_row,
    worker_frozen,
    rebuild_beside_rebuild,
    worker_joined,
    registry_away,
    *(_server(name, how) for how in _HOW for name in ("postgres", "redis", "registry")),
)


def first(seed: int, scene: Scene) -> Fault:
    """Each in its turn, so that some twenty seeds have seen all of them; what comes after it is drawn."""
    if scene.brokers:
        return broker_of_three
    turns = (*_ANYWHERE, *_KAFKA)
    return turns[seed % len(turns)]


def drawn(scene: Scene) -> list[Fault]:
    """One or two of those that can happen here."""
    faults = (*_ANYWHERE, *((broker_of_three,) if scene.brokers else _KAFKA))
    return scene.rng.sample(faults, scene.rng.choice((1, 1, 2)))
