"""What a reconciliation found: each finding once, with where it is and what each side says."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
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


# The check of what could not be read.
NOT_CHECKED = "not_checked"
# The check of walks along tables that do not go on, and of rounds that take too long.
NOT_WALKED = "not_walked"
PACE = "pace"
# The check of findings that stand open and could not be judged.
NOT_JUDGED = "not_judged"
MORE = f"more was found at once than the {LISTED} that are listed"


class Weight(StrEnum):
    """A difference between Kafka and Postgres; something else that somebody ought to see; what is known already."""

    DIFFERENCE = "difference"
    WARNING = "warning"
    KNOWN = "known"


@dataclass(frozen=True)
class Difference:
    """``offsets`` are the first and the last concerned; ``where`` names the thing when an offset does not. A row that
    is named by its ``key`` alone (the values as texts) is one of ``table``; of state, it is what ``state`` sets of it.
    What a ``walk`` along a table has found only that can find again, whatever stands at the offsets. ``log`` says which
    log of the topic's name has the offsets: whoever reads another one there has not looked at it.
    """

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
    table: str = ""
    walk: str = ""
    log: str = ""
    key: tuple[str, ...] = ()
    state: str = ""

    def fingerprint(self) -> UUID:
        """The same for the same finding in another run, whatever the figures are by then."""
        place = (self.stream, self.topic, str(self.partition), self.record, str(self.offsets), self.where)
        return derived_id("reconcile", self.check, *place, *filter(None, [self.table, self.log, self.state]))

    def as_json(self) -> dict[str, Any]:
        """As JSON and Postgres can hold it: what a message says may be neither."""
        told: dict[str, Any] = _plain(asdict(self))
        return told

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Difference":
        offsets = told.get("offsets")
        key, weight = tuple(told.get("key", ())), Weight(told["weight"])
        return cls(**told | {"offsets": tuple(offsets) if offsets else None, "weight": weight, "key": key})

    def line(self) -> str:
        """All of it in one line for a person who watches."""
        at = f"{self.topic}[{self.partition}]" if self.partition is not None else self.topic
        offsets = f"@{self.offsets[0]}" if self.offsets else ""
        sides = f"; Kafka: {self.kafka}, Postgres: {self.postgres}" if self.kafka or self.postgres else ""
        about = " ".join(part for part in (f"{at}{offsets}", self.record, self.where) if part)
        return f"{self.weight} ({self.check}) {about}: {self.says}{sides}"


@dataclass(frozen=True)
class Unjudged:
    """What a check could not judge, and ``why``: an open finding that this may be has not ended, though it is not met.

    Each part that is given narrows it down; without any it is all that the stream's checks find. By its offsets alone
    it is also what stands at none and may come of the messages there.
    """

    check: str = ""
    why: str = ""
    topic: str = ""
    partition: int | None = None
    offsets: tuple[int, int] | None = None
    where: str = ""
    stream: str = ""
    state: str = ""

    @classmethod
    def of(cls, found: Difference, why: str) -> "Unjudged":
        """What was seen, and may yet turn out to be right."""
        place = (found.topic, found.partition, found.offsets, found.where, found.stream)
        return cls(found.check, why, *place, state=found.state)

    @classmethod
    def of_standing(cls, found: "Standing", why: str) -> "Unjudged":
        """An open finding itself."""
        offsets = tuple(found["offsets"]) if found["offsets"] else None
        place = (found["topic"], found["partition"], offsets, found["where"], found["stream"])
        return cls(found["check"], why, *place, state=found.get("state", ""))

    def may_be(self, found: "Standing") -> bool:
        """Whether it may be the finding; that is a difference as JSON."""
        names = ("stream", "check", "topic", "where", "state")
        is_named = all(found.get(name) == getattr(self, name) for name in names if getattr(self, name))
        return is_named and (self.partition is None or self._is_of_place(found))

    def _is_of_place(self, found: "Standing") -> bool:
        if self.offsets and found["offsets"]:
            is_there = found["partition"] == self.partition and _overlap(self.offsets, found["offsets"])
        else:
            is_there = found["partition"] in (None, self.partition)
        return is_there and (bool(self.check) or not found.get("walk"))


# A finding that stands open, as JSON.
Standing = Mapping[str, Any]

# What a look at some messages or rows says: what it has found, and of what it cannot say whether it is there.
Found = Difference | Unjudged


def beyond(check: str, rows: Sequence[object]) -> Iterator[Unjudged]:
    """Of a query for one row more than are listed: where it gives them all, nobody has looked at what comes after."""
    if len(rows) > LISTED:
        yield Unjudged(check, MORE)


def _overlap(one: Sequence[int], other: Sequence[int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _kind(difference: Difference) -> tuple[Weight, bool]:
    """Of what a finding is one, of which a number is kept."""
    return difference.weight, difference.check == NOT_JUDGED


def _is_left(difference: Difference) -> bool:
    return difference.check == NOT_JUDGED and bool(difference.postgres["weight"] == Weight.DIFFERENCE)


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
    what is known must not take the place of what somebody ought to see, nor that of what could not be judged.

    ``standing`` are the findings that stood open when the run began, as JSON: what a check could not judge matters
    where it may be one of these. None where nobody has asked for them. ``agreed`` are those of them (fingerprints) for
    which a message was read since they were last met that says just what their row has.
    """

    listed: list[Difference] = field(default_factory=list)
    named: list[Difference] = field(default_factory=list)
    by_check: Counter[str] = field(default_factory=Counter)
    named_by_check: Counter[str] = field(default_factory=Counter)
    # Of which weights there are more than are kept.
    cut: set[Weight] = field(default_factory=set)
    # By stream and check.
    unjudged: defaultdict[tuple[str, str], set[Unjudged]] = field(default_factory=lambda: defaultdict(set))
    standing: list[Standing] | None = None
    agreed: set[UUID] = field(default_factory=set)
    # How many differences stand open that could not be judged.
    left: int = 0
    _known: set[UUID] = field(default_factory=set)

    def add(self, difference: Difference) -> None:
        finding = difference.fingerprint()
        self.agreed.discard(finding)
        if finding in self._known:
            return
        self._count(difference, 1)
        if self._keep(difference):
            self._known.add(finding)

    def _count(self, difference: Difference, number: int) -> None:
        counted = self.by_check if difference.weight is Weight.DIFFERENCE else self.named_by_check
        counted[difference.check] += number
        self.left += number * _is_left(difference)

    def _keep(self, difference: Difference) -> bool:
        """Whether there is room for it."""
        kept = self.listed if difference.weight is Weight.DIFFERENCE else self.named
        if sum(_kind(one) == _kind(difference) for one in kept) >= LISTED:
            self.cut.add(difference.weight)
            return False
        kept.append(difference)
        return True

    def agree(self, found: Standing) -> None:
        """The row of an open finding is what a message says that was read now; not where this run has met it."""
        finding = Difference.from_json(dict(found)).fingerprint()
        if finding not in self._known:
            self.agreed.add(finding)

    def have_agreed(self, found: Standing) -> bool:
        return Difference.from_json(dict(found)).fingerprint() in self.agreed

    def leave(self, unjudged: Unjudged) -> None:
        """Where that is more than can be listed of a check, it is all of it."""
        if self.standing is not None and not any(map(unjudged.may_be, self.standing)):
            return
        of_check = self.unjudged[unjudged.stream, unjudged.check]
        of_check.add(unjudged)
        if len(of_check) > LISTED:
            of_check.clear()
            of_check.add(Unjudged(unjudged.check, unjudged.why, stream=unjudged.stream))

    def take_unjudged(self) -> list[Unjudged]:
        """What was left since they were last taken."""
        taken = [one for of_check in self.unjudged.values() for one in of_check]
        self.unjudged.clear()
        return taken

    def more(self, check: str, number: int) -> None:
        """Differences that a query counted but did not list."""
        if number:
            self.by_check[check] += number
            self.cut.add(Weight.DIFFERENCE)

    def merge(self, others: "Findings") -> None:
        """Take in what was found beside this; what both have met is one finding."""
        self.by_check.update(others.by_check)
        self.named_by_check.update(others.named_by_check)
        self.cut |= others.cut
        self.left += others.left
        self.agreed |= others.agreed
        for one in others.take_unjudged():
            self.leave(one)
        for difference in (*others.listed, *others.named):
            if difference.fingerprint() in self._known:
                self._count(difference, -1)
            else:
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
    def is_whole(self) -> bool:
        """Whether all was read that there is to be checked, and each table has its turn."""
        return not (self.named_by_check[NOT_CHECKED] or self.named_by_check[NOT_WALKED])

    @property
    def is_clean(self) -> bool:
        """Whether all is looked at, nothing differs, and no difference stands open that could not be judged."""
        return self.is_whole and not self.total and not self.left

    @property
    def total(self) -> int:
        return self.by_check.total()
