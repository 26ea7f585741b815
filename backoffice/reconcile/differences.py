"""What a reconciliation found: each finding once, with where it is and what each side says."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any
from uuid import UUID

from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable

LISTED = 100
# Characters of each text in it that are kept.
TOLD = 1_000


class Weight(StrEnum):
    """A difference between Kafka and Postgres; something else that somebody ought to see; what is known already."""

    DIFFERENCE = "difference"
    WARNING = "warning"
    KNOWN = "known"


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
    weight: Weight = Weight.DIFFERENCE
    stream: str = ""

    def fingerprint(self) -> UUID:
        """The same for the same finding in another run, whatever the figures are by then."""
        place = (self.stream, self.topic, str(self.partition), self.record, str(self.offsets), self.where)
        return derived_id("reconcile", self.check, *place)

    def as_json(self) -> dict[str, Any]:
        """As JSON and Postgres can hold it: what a message says may be neither."""
        told: dict[str, Any] = _plain(asdict(self))
        return told

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Difference":
        offsets = told.get("offsets")
        return cls(**told | {"offsets": tuple(offsets) if offsets else None, "weight": Weight(told["weight"])})

    def line(self) -> str:
        """All of it in one line for a person who watches."""
        at = f"{self.topic}[{self.partition}]" if self.partition is not None else self.topic
        offsets = f"@{self.offsets[0]}" if self.offsets else ""
        sides = f"; Kafka: {self.kafka}, Postgres: {self.postgres}" if self.kafka or self.postgres else ""
        about = " ".join(part for part in (f"{at}{offsets}", self.record, self.where) if part)
        return f"{self.weight} ({self.check}) {about}: {self.says}{sides}"


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {storable(str(name), TOLD): _plain(within) for name, within in value.items()}
        case list() | tuple():
            return [_plain(within) for within in value]
        case bool() | int() | None:
            return value
        case float() if isfinite(value):
            return value
        case _:
            return storable(str(value), TOLD)


@dataclass
class Findings:
    """All differences are counted; the first ``LISTED`` are kept. What is kept is not counted when it is met again.

    ``named`` are the findings that are no differences. Of these, too, the first are kept, of each weight by itself:
    what is known must not take the place of what somebody ought to see.
    """

    listed: list[Difference] = field(default_factory=list)
    named: list[Difference] = field(default_factory=list)
    by_check: Counter[str] = field(default_factory=Counter)
    named_by_check: Counter[str] = field(default_factory=Counter)
    # Of which weights there are more than are kept.
    cut: set[Weight] = field(default_factory=set)
    _known: set[UUID] = field(default_factory=set)

    def add(self, difference: Difference) -> None:
        finding = difference.fingerprint()
        if finding in self._known:
            return
        is_difference = difference.weight is Weight.DIFFERENCE
        counted = self.by_check if is_difference else self.named_by_check
        counted[difference.check] += 1
        if self._keep(difference):
            self._known.add(finding)

    def _keep(self, difference: Difference) -> bool:
        """Whether there is room for it."""
        kept = self.listed if difference.weight is Weight.DIFFERENCE else self.named
        if sum(one.weight is difference.weight for one in kept) >= LISTED:
            self.cut.add(difference.weight)
            return False
        kept.append(difference)
        return True

    def more(self, check: str, number: int) -> None:
        """Differences that a query counted but did not list."""
        if number:
            self.by_check[check] += number
            self.cut.add(Weight.DIFFERENCE)

    def merge(self, others: "Findings") -> None:
        """Take in what was found beside this; it is of other topics."""
        self.by_check.update(others.by_check)
        self.named_by_check.update(others.named_by_check)
        self.cut |= others.cut
        for difference in (*others.listed, *others.named):
            self._keep(difference)
        self._known |= others._known

    def restore(self, listed: list[Difference], named: list[Difference], total: int) -> None:
        """What an earlier part of the same run has found. Whether that named more than it kept nobody has noted."""
        for difference in (*listed, *named):
            self.add(difference)
        self.cut |= {weight for weight, kept in Counter(one.weight for one in named).items() if kept >= LISTED}
        if total > self.total:
            self.more("earlier", total - self.total)

    @property
    def total(self) -> int:
        return self.by_check.total()
