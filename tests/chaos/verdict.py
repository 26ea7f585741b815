"""What a seed has come to."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from backoffice.simulator.events.envelope import Event
from backoffice.streams.outbox.alerts import ALERT, QUEUE
from tests.faults import oracle, positions
from tests.faults.oracle import Difference
from tests.spine import Spine

from . import clashes, outgoing, second
from .scene import Scene


@dataclass
class Verdict:
    """``differences`` of every kind, how long each recovery took (seconds), and where the logs of a failed one are.

    ``kinds`` are what the seed has drawn, ``faults`` the same as it is told. ``books`` is what the streams' own tables
    said of a failed one.
    """

    sent: int = 0
    kinds: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    failed: str = ""
    books: str = ""
    kept: str = ""

    @property
    def counts(self) -> tuple[int, int, int]:
        """Lost, doubled, reordered; a row whose newest version has not won was reordered."""
        kinds = Counter(difference.kind for difference in self.differences)
        return kinds["lost"], kinds["doubled"], kinds["reordered"] + kinds["altered"]

    @property
    def passed(self) -> bool:
        return not self.failed and not self.differences


def judged(scene: Scene, records: second.Records, disturbances: int) -> list[Difference]:
    """``records`` are those of the second stream; so often was the seed disturbed."""
    spine, load = scene.spine, scene.load
    alerts = _alerts(spine)
    return [
        *oracle.differences([*load.sent, *scene.emitted, *alerts], spine.rows),
        *positions.differences(spine),
        *second.differences(spine, load, records),
        *clashes.differences(spine, load, alerts),
        *outgoing.differences(spine, scene.emitted, disturbances),
        *_dead_letters(spine, load.bad + len(load.clashes)),
        *_twins(spine),
    ]


def _alerts(spine: Spine) -> list[Event]:
    """What the platform has told of itself: sent as well, and to be stored."""
    events = [message.event for message in positions.messages(spine) if message.event]
    return [
        Event(event.record, event.key, {name: oracle.plain(value) for name, value in event.body.items()})
        for event in events
        if event.record == ALERT and event.body["queue"] == QUEUE
    ]


def _dead_letters(spine: Spine, sent: int) -> Iterable[Difference]:
    dead = int(spine.value("SELECT count(*) FROM streams_deadletter WHERE stream <> %s", second.NAME))
    if dead != sent:
        kind = "lost" if dead < sent else "doubled"
        yield Difference(kind, "streams_deadletter", f"{sent} bad messages were sent, {dead} are there")


def _twins(spine: Spine) -> list[Difference]:
    """Dead letters without a message in their dead-letter topic."""
    missing = []
    for (topic,) in spine.rows("SELECT DISTINCT topic FROM streams_deadletter"):
        twins = {(h["partition"], h["offset"]): value for _, value, h in spine.read(f"{topic}.dlq")}
        query = 'SELECT partition, "offset", value FROM streams_deadletter WHERE topic = %s'
        for partition, offset, value in spine.rows(query, topic):
            if (twins.get((str(partition), str(offset))) or b"") != bytes(value or b""):
                missing.append(Difference("lost", f"{topic}.dlq", f"the twin of {topic}[{partition}]@{offset}"))
    return missing


def line(seed: int, verdict: Verdict, seconds: float) -> str:
    """What a person reads of one seed."""
    lost, doubled, reordered = verdict.counts
    told = f"seed {seed}: {verdict.sent} messages in {seconds:.0f} s; {', '.join(verdict.faults)};"
    told += f" lost {lost} doubled {doubled} reordered {reordered}"
    told += f" FAILED: {verdict.failed}" if verdict.failed else ""
    return told + "".join(f"\n    {difference}" for difference in verdict.differences[:10])


def summary(verdicts: Mapping[int, Verdict], differing: int = 0) -> str:
    """What a person reads of all seeds: how often each kind was drawn, and a last line that begins with what failed.

    ``differing`` are the messages that the two readers read differently.
    """
    found = verdicts.values()
    lost, doubled, reordered = (sum(verdict.counts[kind] for verdict in found) for kind in range(3))
    times = sorted(seconds for verdict in found for seconds in verdict.recoveries)
    p50, p99, most = (_at(times, share) for share in (0.5, 0.99, 1.0))
    failed = [f"seed {seed} ({_why(verdict)})" for seed, verdict in verdicts.items() if not verdict.passed]
    drawn = Counter(kind for verdict in found for kind in verdict.kinds)
    kinds = ", ".join(f"{kind} {times}" for kind, times in sorted(drawn.items()))
    told = f"FAILED {len(failed)} of {len(found)}: {'; '.join(failed)}; " if failed else f"{len(found)} seeds passed; "
    told += f"{differing} messages were read differently; " if differing else ""
    return (
        f"drawn: {kinds}\n"
        + told
        + f"lost {lost} doubled {doubled} reordered {reordered} recovery p50 {p50:.1f} p99 {p99:.1f} max {most:.1f} s"
    )


def _why(verdict: Verdict) -> str:
    """In short, with where its logs are kept."""
    why = verdict.failed.partition("\n")[0] or f"{len(verdict.differences)} differences"
    return f"{why[:200]}; logs in {verdict.kept}" if verdict.kept else why[:200]


def _at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(len(times) * share))] if times else 0.0
