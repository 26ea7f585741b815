"""What a reconciliation found: each difference once, with where it is and what each side says."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from backoffice.kernel.ids import derived_id

LISTED = 100


@dataclass(frozen=True)
class Difference:
    """``offsets`` are the first and the last concerned; ``where`` names the thing when an offset does not."""

    check: str
    says: str
    topic: str = ""
    partition: int | None = None
    record: str = ""
    offsets: tuple[int, int] | None = None
    where: str = ""
    kafka: Any = None
    postgres: Any = None

    def fingerprint(self) -> UUID:
        """The same for the same finding in another run, whatever the figures are by then."""
        place = (self.topic, str(self.partition), self.record, str(self.offsets), self.where)
        return derived_id("reconcile", self.check, *place)

    def as_json(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "topic": self.topic,
            "partition": self.partition,
            "record": self.record,
            "offsets": list(self.offsets) if self.offsets else None,
            "where": self.where,
            "kafka": self.kafka,
            "postgres": self.postgres,
            "says": self.says,
        }


@dataclass
class Findings:
    """All differences are counted; the first ``LISTED`` are kept. What is kept is not counted when it is met again."""

    listed: list[Difference] = field(default_factory=list)
    by_check: Counter[str] = field(default_factory=Counter)
    _known: set[UUID] = field(default_factory=set)

    def add(self, difference: Difference) -> None:
        finding = difference.fingerprint()
        if finding in self._known:
            return
        self.by_check[difference.check] += 1
        if len(self.listed) < LISTED:
            self.listed.append(difference)
            self._known.add(finding)

    def more(self, check: str, number: int) -> None:
        """Differences that a query counted but did not list."""
        self.by_check[check] += number

    def merge(self, others: "Findings") -> None:
        """Take in what was found beside this; it is of other topics."""
        self.by_check.update(others.by_check)
        self.listed += others.listed[: LISTED - len(self.listed)]
        self._known |= others._known

    @property
    def total(self) -> int:
        return self.by_check.total()
