"""``manage.py topics``: shows how the cluster differs from the catalogue; ``--apply`` puts right what it safely can."""

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from backoffice.commands import OperatorCommand
from backoffice.kernel.errors import Rejected
from backoffice.streams.kafka.topics import (
    FOR_EVER,
    Cluster,
    Difference,
    Kind,
    TopicState,
    differences,
    put_right,
    reach,
    survey,
    wanted_configs,
)
from backoffice.streams.schemas import forget, our_registry

MILLISECONDS_A_DAY = 86_400_000
SECONDS_TO_SETTLE = 10.0
HEADINGS = ("topic", "partitions", "retention", "cleanup", "schemas")


class Command(OperatorCommand):
    help = "Compares Kafka's topics and the registry's schemas with the catalogue; exit 1 if they differ."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="create and raise what is missing; nothing is shrunk")
        parser.add_argument(
            "--allow-more-partitions",
            action="store_true",
            help="with --apply: add partitions to existing topics, although a key's events may then change order",
        )

        parser.add_argument(
            "--forget-schemas",
            action="store_true",
            help="first forget what is known of this registry: it was made anew, and no message of before is left",
        )

    def handle(self, *, apply: bool, allow_more_partitions: bool, forget_schemas: bool, **_: Any) -> None:
        if forget_schemas:
            self.stdout.write(f"forgot {forget()} schemas of this registry")
        cluster, states = self._look()
        self._table(states, cluster.tiered)
        found = _found(cluster, states)
        wrong = self._apply(cluster, found, allow_more_partitions) if apply else self._tell(found)
        if wrong:
            raise CommandError(f"{wrong} differences between the catalogue and the cluster.")

    def _look(self) -> tuple[Cluster, list[TopicState]]:
        cluster = reach(settings.KAFKA, our_registry(), settings.KAFKA_TOPIC_PREFIX)
        return cluster, survey(cluster)

    def _tell(self, found: list[Difference]) -> int:
        for difference in found:
            self.stdout.write(f"differs: {difference} ({_advice(difference.kind)})")
        return len(found)

    def _apply(self, cluster: Cluster, found: list[Difference], allow_more_partitions: bool) -> int:
        """How many differences are left that keep the platform from what it needs."""
        left = [difference for difference in found if not self._done(cluster, difference, allow_more_partitions)]
        missed = self._missed(left) if len(left) < len(found) else []
        return self._tell(missed) + sum(difference.kind is not Kind.MORE for difference in left)

    def _done(self, cluster: Cluster, difference: Difference, allow_more_partitions: bool) -> bool:
        """Put one difference right, or say why not."""
        needs_a_word = difference.kind is Kind.FEWER_PARTITIONS and not allow_more_partitions
        if needs_a_word or difference.kind in (Kind.MORE, Kind.OTHER_CLEANUP, Kind.FEWER_OF_COMPACTED):
            self.stdout.write(f"left alone: {difference} ({_advice(difference.kind)})")
            return False
        if difference.kind is Kind.FEWER_PARTITIONS:
            self.stderr.write(f"warning: {difference}; events of one player may be handled out of order around now")
        try:
            self.stdout.write(f"done: {put_right(cluster, difference)}")
        except Rejected as refusal:
            self.stdout.write(f"refused: {difference}: {refusal}")
            return False
        return True

    def _missed(self, left: list[Difference]) -> list[Difference]:
        """What a second look finds beyond what was left, once the brokers have had time to learn of the changes."""
        known = {(difference.state.name, difference.kind) for difference in left}
        deadline = time.monotonic() + SECONDS_TO_SETTLE
        while True:
            found = [each for each in _found(*self._look()) if (each.state.name, each.kind) not in known]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    def _table(self, states: list[TopicState], tiered: bool) -> None:
        rows = [HEADINGS, *(_row(state, tiered) for state in states)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        for row in rows:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _found(cluster: Cluster, states: list[TopicState]) -> list[Difference]:
    return [difference for state in states for difference in differences(state, tiered=cluster.tiered)]


def _row(state: TopicState, tiered: bool) -> tuple[str, ...]:
    wanted = wanted_configs(state.wanted, tiered=tiered)
    records = len(state.wanted.records)
    present = state.present
    return (
        state.name,
        _pair(str(state.wanted.partitions), str(present.partitions) if present else None),
        _pair(_kept(wanted), _kept(present.configs) if present else None),
        _pair(wanted["cleanup.policy"], present.configs.get("cleanup.policy") if present else None),
        f"{records - len(state.unregistered)} of {records}" if records else "-",
    )


def _pair(wanted: str, there: str | None) -> str:
    """What is there, and beside it what is wanted where that is something else."""
    if there is None:
        return f"none (wanted {wanted})"
    return there if there == wanted else f"{there} (wanted {wanted})"


def _kept(configs: Mapping[str, str]) -> str:
    if configs.get("cleanup.policy") == "compact":
        return "last of each key"
    milliseconds = int(configs.get("retention.ms", FOR_EVER))
    return "for ever" if milliseconds == FOR_EVER else f"{milliseconds / MILLISECONDS_A_DAY:g} d"


def _advice(kind: Kind) -> str:
    match kind:
        case Kind.FEWER_PARTITIONS:
            return "run `manage.py topics --apply --allow-more-partitions`"
        case Kind.OTHER_CLEANUP:
            return f"{kind.value}; decide and change it with Kafka's own tools"
        case Kind.FEWER_OF_COMPACTED:
            return str(kind.value)
        case Kind.MORE:
            return f"{kind.value}; correct the catalogue or the topic"
        case _:
            return "run `manage.py topics --apply`"
