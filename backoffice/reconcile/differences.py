"""What a reconciliation found: each finding once, with where it is and what each side says."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any
from uuid import UUID

from backoffice.kernel.ids import derived_id
from backoffice.kernel.text import storable

from .kinds import Cut, Kind, Span
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
    """All findings are counted; of each kind the first ``LISTED`` are kept. What is kept is not counted when it is met
    again.

    ``listed`` are differences, ``named`` what is none; what is new is listed as far as it is noted, and the other way
    round. ``standing`` are the findings that stood open when the run began, as JSON, and ``rests`` where there are
    more: what a check could not judge matters where it may be of these. None where nobody has asked for them.
    ``agreed`` are those (fingerprints) for which a message was read since they were last met that says just what their
    row has.

    What is not kept is not lost: ``cut`` says where it is, and how much, since that was last taken; ``met`` are its
    fingerprints, for some of it may be noted all the same.
    """

    listed: list[Difference] = field(default_factory=list)
    named: list[Difference] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)
    # By stream, topic, check, and whether it is noted.
    unjudged: defaultdict[tuple[str, str, str, bool | None], set[Unjudged]] = field(
        default_factory=lambda: defaultdict(set)
    )
    standing: list[Standing] | None = None
    rests: Sequence[Standing] = ()
    agreed: set[UUID] = field(default_factory=set)
    # How many differences stand open that could not be judged.
    left: int = 0
    cut: dict[Cut, Span] = field(default_factory=dict)
    met: set[UUID] = field(default_factory=set)
    _known: set[UUID] = field(default_factory=set)
    _listed: Counter[Kind] = field(default_factory=Counter)
    # Of those that stand open, and those that are new and kept.
    _noted: Counter[Kind] = field(default_factory=Counter)
    _open: frozenset[UUID] = frozenset()
    _by_check: dict[str, list[Standing]] = field(default_factory=lambda: defaultdict(list))
    # Along which table is looked just now.
    _walk: str = ""

    def __post_init__(self) -> None:
        self._noted.update(map(Kind.of_json, self.standing or ()))
        for one in self.standing or ():
            self._by_check[one["check"]].append(one)
        self._open = frozenset(Difference.from_json(dict(one)).fingerprint() for one in self.standing or ())

    def add(self, difference: Difference) -> None:
        finding = difference.fingerprint()
        self.agreed.discard(finding)
        if finding in self._known:
            return
        self._count(difference, 1)
        if self._has_room(difference, finding):
            self._list(difference)
            self._known.add(finding)
        elif difference.weight is not Weight.KNOWN:
            self.met.add(finding)

    def _count(self, difference: Difference, number: int) -> None:
        self.counts[difference.kind] += number
        self.left += number * _is_left(difference)

    def _has_room(self, difference: Difference, finding: UUID) -> bool:
        """Whether there is room for it among those that stand open; what stands so, and what is known, takes none of
        that, and is listed as far as few are. The first over which the run is not clean always is.
        """
        kind = difference.kind
        if finding in self._open or kind.weight is Weight.KNOWN:
            return self._listed[kind] < LISTED or (_is_left(difference) and self.left == 1)
        if self._noted[kind] >= LISTED:
            self._cut(kind, Span(1, None if difference.walk else difference.offsets), difference.partition)
            return False
        self._noted[kind] += 1
        return True

    def _cut(self, kind: Kind, span: Span, partition: int | None = None) -> None:
        place = Cut(kind, self._walk, None if self._walk else partition)
        self.cut[place] = self.cut.get(place, Span(0)) + span

    def _list(self, difference: Difference) -> None:
        kept = self.listed if difference.weight is Weight.DIFFERENCE else self.named
        self._listed[difference.kind] += 1
        kept.append(difference)

    @contextmanager
    def along(self, walk: str) -> Iterator[None]:
        """What is found meanwhile is found by the walk."""
        self._walk = walk
        try:
            yield
        finally:
            self._walk = ""

    def agree(self, found: Standing) -> None:
        """The row of an open finding is what a message says that was read now; not where this run has met it."""
        finding = Difference.from_json(dict(found)).fingerprint()
        if finding not in self._known and finding not in self.met:
            self.agreed.add(finding)

    def have_agreed(self, found: Standing) -> bool:
        return Difference.from_json(dict(found)).fingerprint() in self.agreed

    def leave(self, unjudged: Unjudged) -> None:
        """Where that is more than can be listed of a check, it is all of it."""
        if self.standing is not None:
            asked = self._by_check.get(unjudged.check, ()) if unjudged.check else self.standing
            is_noted, is_of_rests = any(map(unjudged.may_be, asked)), any(map(unjudged.may_be, self.rests))
            if not is_noted and not is_of_rests:
                return
            if is_of_rests and (unjudged.item or not is_noted):
                unjudged = replace(unjudged, noted=is_noted)
        of = unjudged.stream, unjudged.topic, unjudged.check, unjudged.noted
        self.unjudged[of].add(unjudged)
        if len(self.unjudged[of]) > LISTED:
            stream, topic, check, noted = of
            self.unjudged[of] = {Unjudged(check, unjudged.why, topic, stream=stream, noted=noted)}

    def cut_off(self, unjudged: Unjudged) -> None:
        """It lies behind the rows that a query lists: which weight it has, and mostly which topic, nobody knows."""
        self._cut(Kind(Weight.KNOWN, unjudged.stream, unjudged.topic, unjudged.check), Span(1))

    def take_unjudged(self) -> list[Unjudged]:
        """What was left since they were last taken."""
        taken = [one for of_check in self.unjudged.values() for one in of_check]
        self.unjudged.clear()
        return taken

    def take_cut(self) -> dict[Cut, Span]:
        """What was cut since that was last taken."""
        taken: dict[Cut, Span] = {}
        for one, span in self.cut.items():
            place = one._replace(kind=self._kind_of(one.kind))
            taken[place] = taken.get(place, Span(0)) + span
        self.cut.clear()
        return taken

    def take_met(self) -> set[UUID]:
        """The fingerprints of what was met and not kept since they were last taken."""
        taken, self.met = self.met, set()
        return taken

    def _kind_of(self, cut: Kind) -> Kind:
        """Of which kind most is that a query lists, where it only says that there is more."""
        if cut.topic and cut.weight is not Weight.KNOWN:
            return cut
        of_query = [
            kind
            for kind in self.counts
            if (kind.stream, kind.check) == (cut.stream, cut.check) and kind.topic and kind.weight is not Weight.KNOWN
        ]
        return max(of_query, key=self.counts.__getitem__, default=cut)

    def more(self, check: str, number: int, stream: str = "", topic: str = "") -> None:
        """Differences that a query counted but did not list: any of the kind that stands open may be one of them."""
        if number:
            kind = Kind(Weight.DIFFERENCE, stream, topic, check)
            self.counts[kind] += number
            self._cut(kind, Span(number))
            self.leave(Unjudged(check, MORE, topic, stream=stream))

    def merge(self, others: "Findings") -> None:
        """Take in what was found beside this; what both have met is one finding."""
        self.counts.update(others.counts)
        self.left += others.left
        self.agreed |= others.agreed
        for one in others.take_unjudged():
            self.leave(one)
        for difference in (*others.listed, *others.named):
            if difference.fingerprint() in self._known:
                self._count(difference, -1)
            elif self._listed[difference.kind] < LISTED:
                self._list(difference)
        self._known |= others._known

    def restore(self, listed: list[Difference], named: list[Difference], counts: Mapping[Kind, int]) -> None:
        """What an earlier part of the same run has found and noted."""
        for difference in (*listed, *named):
            self._known.add(difference.fingerprint())
            self._list(difference)
            self.left += _is_left(difference)
        self.counts.update(counts)

    def counts_as_json(self) -> list[dict[str, Any]]:
        """How many of each kind were found, and how many of them are listed."""
        return [
            kind._asdict() | {"found": number, "listed": min(self._listed[kind], number)}
            for kind, number in sorted(self.counts.items())
            if number > 0
        ]

    @property
    def by_check(self) -> Counter[str]:
        """How many differences there are."""
        return self._counted(is_difference=True)

    @property
    def named_by_check(self) -> Counter[str]:
        """How many findings there are that are none."""
        return self._counted(is_difference=False)

    def _counted(self, *, is_difference: bool) -> Counter[str]:
        found: Counter[str] = Counter()
        for kind, number in self.counts.items():
            if (kind.weight is Weight.DIFFERENCE) is is_difference:
                found[kind.check] += number
        return found

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
