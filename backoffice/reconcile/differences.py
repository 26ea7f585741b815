"""What a reconciliation found: each finding once, with where it is and what each side says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any
from uuid import UUID

from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable

from .kinds import Kind
from .kinds import Weight as Weight  # noqa: PLC0414 - whoever finds something weighs it

# So many findings of a kind a run lists, and stand open; of what is more there is only said where it is, and how many.
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

    @property
    def kind(self) -> Kind:
        return Kind(self.weight, self.stream, self.topic, self.check)

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
        sides = f"; Kafka: {self.kafka}, Postgres: {self.postgres}" if self.kafka or self.postgres else ""
        return f"{self.weight} ({self.check}) {self.place()}: {self.says}{sides}"

    def place(self) -> str:
        at = f"{self.topic}[{self.partition}]" if self.partition is not None else self.topic
        offsets = f"@{self.offsets[0]}" if self.offsets else ""
        return " ".join(part for part in (f"{at}{offsets}", self.record, self.where) if part)


@dataclass(frozen=True)
class Unjudged:
    """What a check could not judge, and ``why``: an open finding that this may be has not ended, though it is not met.

    Each part that is given narrows it down; without any it is all that the stream's checks find. By its offsets alone
    it is also what stands at none and may come of the messages there. What lies behind the rows that a ``walk`` lists
    is its own. ``noted`` says that it is a finding that is noted, or is none, where either is known: then it is of
    what was found beyond these (`rests`).
    """

    check: str = ""
    why: str = ""
    topic: str = ""
    partition: int | None = None
    offsets: tuple[int, int] | None = None
    where: str = ""
    stream: str = ""
    state: str = ""
    walk: str = ""
    noted: bool | None = None

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

    @classmethod
    def of_rest(cls, rest: "Standing", why: str) -> "Unjudged":
        """All of a rest."""
        place = (rest.get("topic", ""), rest["partition"], rest["offsets"], "", rest.get("stream", ""))
        return cls(rest["check"], why, *place, walk=rest["walk"], noted=False)

    @property
    def item(self) -> str:
        """The one thing that it is; empty where it is whatever a check finds."""
        is_one = self.check and (self.where or self.offsets)
        return storable(f"{self.partition} {self.offsets} {self.where} {self.state}", TOLD) if is_one else ""

    def may_be(self, found: "Standing") -> bool:
        """Whether it may be the finding, or of the rest; what that does not say may be anything."""
        names = ("stream", "check", "topic", "where", "state", "walk")
        is_named = all(found.get(name, said) == said for name in names if (said := getattr(self, name)))
        is_such = self.noted in (None, found.get("noted", True))
        return is_named and is_such and (self.partition is None or self._is_of_place(found))

    def _is_of_place(self, found: "Standing") -> bool:
        if self.offsets and found["offsets"]:
            is_there = found["partition"] == self.partition and _overlap(self.offsets, found["offsets"])
        else:
            is_there = found["partition"] in (None, self.partition)
        return is_there and (bool(self.check) or not found.get("walk"))


# A finding that stands open, as JSON; or a rest, which says less.
Standing = Mapping[str, Any]
# What a look at some messages or rows says: what it has found, and of what it cannot say whether it is there.
Found = Difference | Unjudged


def beyond(check: str, rows: Sequence[object]) -> Iterator[Unjudged]:
    """Of a query for one row more than are listed: where it gives them all, nobody has looked at what comes after."""
    if len(rows) > LISTED:
        yield Unjudged(check, MORE)


def _overlap(one: Sequence[int], other: Sequence[int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


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
