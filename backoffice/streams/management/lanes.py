"""Whether a stream, a topic and a partition that a person names are there, before anything is done in their name."""

from collections.abc import Iterable

from django.db.models import Model

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.errors import Rejected

from ..kafka.logs import Log
from ..models import DeadLetter, Halt, Offset, Reading
from ..store.projection import STREAMS

# Streams whose sink is not the tables are known by what they left here.
_TRACES: tuple[type[Model], ...] = (Reading, Offset, Halt)


def must_be_a_lane(stream: str, topic: str) -> None:
    """Raises Rejected where no such stream reads the topic of the catalogue."""
    must_be_a_topic(topic)
    must_be_a_stream(stream)
    named = {"stream": stream, "topic": topic}
    reads = STREAMS[stream].topics() if stream in STREAMS else []
    if topic not in reads and not any(trace._default_manager.filter(**named).exists() for trace in _TRACES):
        raise Rejected(f"{stream} does not read {topic}{_of('; it reads', reads)}. Nothing was changed.")


def must_be_a_stream(stream: str) -> None:
    """Raises Rejected where nothing is known of it."""
    traces: tuple[type[Model], ...] = (*_TRACES, DeadLetter)
    if stream not in STREAMS and not any(trace._default_manager.filter(stream=stream).exists() for trace in traces):
        raise Rejected(f"No stream is called {stream}{_of('; there are', sorted(STREAMS))}. Nothing was changed.")


def must_be_a_topic(topic: str) -> None:
    """Raises Rejected where the catalogue has none of that name."""
    if topic not in TOPICS:
        raise Rejected(f"The catalogue has no topic {topic}{_of('; there are', TOPICS)}. Nothing was changed.")


def must_be_a_partition(topic: str, partition: int, log: Log) -> None:
    """Raises Rejected where the cluster has none of that number, or does not tell of it now."""
    if partition in log.untold:
        raise Rejected(f"Nothing was changed: {log.untold[partition]}.")
    if partition not in log.begins:
        numbers = [str(number) for number in sorted(log.begins)]
        raise Rejected(
            f"Kafka has no partition {topic}[{partition}]{_of('; there are', numbers)}. Nothing was changed."
        )


def _of(there_are: str, names: Iterable[str]) -> str:
    found = ", ".join(names)
    return f"{there_are} {found}" if found else ""
