"""What a run gathers: all that it finds is counted, and of each kind so much is kept as may stand open."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from . import differences
from .differences import MORE, NOT_CHECKED, NOT_JUDGED, NOT_WALKED, Difference, Standing, Unjudged
from .kinds import Cut, Kind, Span, Weight


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
    # Things that could not be judged and are of nothing that stands open, by stream and check, unless they are many.
    apart: defaultdict[tuple[str, str], set[Unjudged]] = field(default_factory=lambda: defaultdict(set))
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
            return self._listed[kind] < differences.LISTED or (_is_left(difference) and self.left == 1)
        if self._noted[kind] >= differences.LISTED:
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
                self._set_apart(unjudged)
                return
            if is_of_rests and (unjudged.item or not is_noted):
                unjudged = replace(unjudged, noted=is_noted)
        of = unjudged.stream, unjudged.topic, unjudged.check, unjudged.noted
        self.unjudged[of].add(unjudged)
        if len(self.unjudged[of]) > differences.LISTED:
            stream, topic, check, noted = of
            self.unjudged[of] = {Unjudged(check, unjudged.why, topic, stream=stream, noted=noted)}

    def _set_apart(self, unjudged: Unjudged) -> None:
        of_check = self.apart[unjudged.stream, unjudged.check]
        if unjudged.item and len(of_check) < differences.LISTED:
            of_check.add(replace(unjudged, noted=False))

    def cut_off(self, unjudged: Unjudged) -> None:
        """It lies behind the rows that a query lists: which weight it has, and mostly which topic, nobody knows."""
        self._cut(Kind(Weight.KNOWN, unjudged.stream, unjudged.topic, unjudged.check), Span(1))

    def take_unjudged(self) -> list[Unjudged]:
        """What was left since they were last taken."""
        taken = [one for of_check in self.unjudged.values() for one in of_check]
        self.unjudged.clear()
        return taken

    def take_apart(self, cut: Iterable[Cut]) -> list[Unjudged]:
        """What could not be judged of the checks of which more was found than is kept: so it is none of that."""
        checks = {(one.kind.stream, one.kind.check) for one in cut}
        return [one for check in sorted(checks) for one in self.apart.pop(check, ())]

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
            elif self._listed[difference.kind] < differences.LISTED:
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


def _is_left(difference: Difference) -> bool:
    return difference.check == NOT_JUDGED and bool(difference.postgres["weight"] == Weight.DIFFERENCE)
