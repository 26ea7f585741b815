"""One run on its way, step by step. Each step is a transaction, with a snapshot of its own, that also keeps what it
found."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.clock import Clock
from backoffice.streams.schemas import our_registry

from .. import rests
from ..alerts import telling_of
from ..books import Books
from ..checker import Checker
from ..checks.letters import Twins
from ..checks.unseen import unnamed
from ..checks.windows import roll_again
from ..findings import Findings
from ..kinds import Weight
from ..known import Gaps, Place, known_gaps
from ..messages.log import Chunk, Log, Slice
from ..messages.reading import Readers
from ..models import Run
from ..positions import Position, positions
from ..telling import (
    agreed,
    all_standing,
    end_all,
    end_gone_round,
    end_read_again,
    end_unsaid,
    keep_met,
    leave_open,
    leave_unread,
    name_of,
    note_agreed,
    open_findings,
    stands_at,
    tell,
)
from . import circle
from .isolating import MOST, culprits, culprits_together, is_away
from .plan import Plan, missing, not_checked
from .transactions import advance, forget_unchecked, keep_marks, snapshot
from .walking import said_of_rounds
from .walks import Walker, walked_in

# A checker for the step that has read nothing yet.
Fresh = Callable[[], Checker]
# What is done in a level step beside reading.
Also = Callable[[Walker], None]
Say = Callable[[str], None]


def silent(_line: str) -> None:
    """For runs that nobody watches."""


@dataclass(frozen=True)
class _Done:
    """What a step has read: the time to which the log of each slice has come at its end, at which offsets the times of
    a log stand still (``marks``), and behind which ends was looked.
    """

    checker: Checker
    logged: dict[Place, int] = field(default_factory=dict)
    marks: defaultdict[Place, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    beyond: list[Slice] = field(default_factory=list)


class Running:
    """``topics`` are those that this process reads; ``is_beside`` says that another one of the same run has others."""

    def __init__(
        self, log: Log, clock: Clock, run: Run, books: Books, *, topics: frozenset[str] = frozenset(TOPICS),
        is_beside: bool = False, keeps_run: bool = True, say: Say = silent,
    ) -> None:  # fmt: skip
        self._log, self._clock, self._run, self._books = log, clock, run, books
        self._topics, self._is_beside, self._keeps_run, self._say = topics, is_beside, keeps_run, say
        self.findings = Findings(standing=all_standing(clock.now()), agreed=agreed(), rests=rests.all_standing())
        for one in unnamed(self.findings.standing or ()):
            self.findings.leave(one)
        self.checked: Counter[str] = Counter()
        self._readers = Readers(our_registry())
        self._told = 0, 0
        self._withheld: defaultdict[Place, dict[int, str]] = defaultdict(dict)
        # How far all was checked before this run: what it reads itself it need not read again.
        self._before: dict[Place, int] | None = None

    def read_new(self, plan: Plan, also: Also) -> None:
        """The plan's next step; ``also`` is done with it where it is level."""
        roll_again()
        with snapshot(is_beside=self._is_beside) as cursor:
            gaps = known_gaps(cursor)
            read = positions(cursor, self._log, self._books, gaps)
            mine = [position for position in read if position.topic in self._topics]
            if self._before is None:
                self._before = {p.key: p.checked.next for p in mine if p.checked}
            for position in mine:
                if position.untold:
                    self.findings.add(not_checked(*position.key[1:], position.untold, position.stream.name))
            slices = plan.next([position for position in mine if not position.untold])
            ends = {part.key: part.end for part in slices}
            forget_unchecked(cursor, self._books, [position for position in mine if position.key in ends])
            behind = [position.key for position in read if self._is_behind(position, ends)]
            fresh = partial(self._checker, cursor, gaps, read, is_new=True, behind=behind)
            done = self._compared(fresh, mine, slices)
            if plan.is_level:
                also(Walker(done.checker, read))
            now = self._clock.now()
            advance(self._books, mine, ends, done.logged, now)
            self.keep(slices)
            self._end_unmet([*slices, *done.beyond])

    def read_again(self, since_last: timedelta, step: int) -> None:
        """A part of what was checked before, so that all of it has its turn in time."""
        budget = -1
        while budget:
            with snapshot(is_beside=self._is_beside) as cursor:
                gaps = known_gaps(cursor)
                read = self._readable(cursor, gaps)
                rounds = circle.rounds(read, self._before)
                if budget < 0:
                    total = circle.history(rounds)
                    budget = min(circle.of_messages().share(total, since_last), total)
                slices = circle.again(rounds, min(budget, step))
                self._compared(partial(self._checker, cursor, gaps, read, is_new=False), read, slices)
                circle.move_on(rounds, slices, self._clock.now())
                self.keep(slices)
                self._end_unmet(slices)
            budget = max(0, budget - sum(part.end - part.start for part in slices)) if slices else 0

    def read_open_again(self) -> None:
        """The places of findings that stand open, so that one that was mended ends with the next run."""
        at = {place for place in map(stands_at, open_findings(self._run.started_at, self._clock.now())) if place}
        if not at:
            return
        with snapshot(is_beside=self._is_beside) as cursor:
            gaps = known_gaps(cursor)
            read = self._readable(cursor, gaps)
            slices = [part for position in read for part in circle.at_offsets(position, at)]
            self._compared(partial(self._checker, cursor, gaps, read, is_new=False), read, slices)
            self.keep(slices)
            self._end_unmet(slices)

    def read_rests(self, step: int) -> None:
        """A part of the places at which more was found than is noted, so that it is noted, or ends."""
        with snapshot(is_beside=self._is_beside) as cursor:
            gaps = known_gaps(cursor)
            read = self._readable(cursor, gaps)
            parts = rests.again(read, min(step, circle.of_messages().at_most))
            if not parts:
                return
            slices = [one.part for one in parts]
            self._compared(partial(self._checker, cursor, gaps, read, is_new=False), read, slices)
            self.keep(slices, parts)
            rests.end_read(self._clock.now())
            self._end_unmet(slices)

    def _readable(self, cursor: CursorWrapper, gaps: Gaps) -> list[Position]:
        """Of what this process reads, as far as Kafka tells of it."""
        return self._mine(positions(cursor, self._log, self._books, gaps))

    def _mine(self, read: list[Position]) -> list[Position]:
        return [position for position in read if position.topic in self._topics and not position.untold]

    def _end_unmet(self, slices: list[Slice]) -> None:
        end_read_again(slices, self._run.started_at, self._clock.now())

    def end(self) -> None:
        """Of all that was looked for: findings that were not met again end; those that were not looked at are named."""
        now, since = self._clock.now(), self._run.started_at
        with snapshot() as cursor:
            walker = self._walker(cursor)
            if not self._run.full:
                walker.checker.note("", said_of_rounds(walker, self._topics, self._run, now))
            self.keep()
            if self._run.full and self.findings.is_whole:
                walks = self._books.walks._default_manager.filter(rounds__gt=0)
                walked = set(walks.values_list("name", flat=True))
                end_all(since, now, walked)
                rests.end_all(since, walked, self._mine(walker.read), now)
            elif not self._run.full:
                moving = _moving(walker)
                end_gone_round(since, now, moving)
                end_unsaid(since, now)
                rests.end_walked(now)
            unread = leave_unread(since, now, full=self._run.full)
            for left in [*unread, *rests.leave_unread(since, walker.read, full=self._run.full)]:
                self.findings.add(left)
            self.keep()

    def _walker(self, cursor: CursorWrapper) -> Walker:
        """Of log and streams as they are now, with nothing read."""
        gaps = known_gaps(cursor)
        read = positions(cursor, self._log, self._books, gaps)
        return Walker(self._checker(cursor, gaps, read, is_new=False), read)

    def take_in(self, findings: Findings, checked: Counter[str]) -> None:
        """What a process beside this one, which is done, found and told."""
        self._is_beside = False
        self.findings.merge(findings)
        self.checked.update(checked)
        self._told = len(self.findings.listed), len(self.findings.named)
        self.keep()

    def restore(self, findings: Findings, checked: Mapping[str, int]) -> None:
        """What an earlier part of the same run found and read."""
        mine = self.findings
        ours = {name: getattr(mine, name) for name in ("standing", "rests", "agreed", "unjudged")}
        self.findings = replace(findings, **ours)
        self.checked = Counter(checked)
        self._told = len(findings.listed), len(findings.named)

    def keep(self, slices: Sequence[Slice] = (), parts: Sequence[rests.Again] = ()) -> None:
        """The run as it stands, and what this step, that has read the slices, added to what was found before it; it is
        told at once. ``parts`` are those of rests that were read.

        What it could not judge is held against the findings that stand open and the rests, and these stay so.
        """
        now, found, run = self._clock.now(), self.findings, self._run
        for (topic, partition), why in self._log.unread.items():
            found.add(not_checked(topic, partition, why))
        new = [*found.listed[self._told[0] :], *found.named[self._told[1] :]]
        note_agreed(found.agreed, now)
        cut = found.take_cut()
        unjudged = found.take_unjudged()
        kinds = {one.kind for one in new} | {one.kind for one in cut} | {one.kind for one in parts}
        with telling_of([kind for kind in kinds if kind.weight is not Weight.KNOWN], now):
            rests.move_on(parts, unjudged, now)
            tell(new, now)
            keep_met(found.take_met(), now)
            rests.note(cut, rests.Noting(run, now, slices, is_again=bool(parts)))
        of_rests = rests.leave_open([*unjudged, *found.take_apart(cut)], run, now, self._is_mine)
        for left in [*leave_open(unjudged, run.started_at, now, self._is_mine), *of_rests]:
            found.add(left)
            new.append(left)
        found.rests = rests.all_standing()
        # Of the other's topics it is held against what stands open when both are done.
        for one in unjudged if self._is_beside else ():
            found.leave(one)
        self._told = len(found.listed), len(found.named)
        for difference in new:
            self._say(difference.line())
        if not self._keeps_run:
            return
        run.finished_at = None if run.full else now
        run.is_clean, run.total = found.is_clean, found.total
        run.checked, run.counts = dict(sorted(self.checked.items())), found.counts_as_json()
        run.differences, run.named = (
            [difference.as_json() for difference in kept] for kept in (found.listed, found.named)
        )
        run.save()

    def _is_mine(self, topic: str) -> bool:
        """Whether findings of the topic are this process's; of two, the first has what is of none as well."""
        is_of_none = self._keeps_run and topic not in TOPICS
        return not self._is_beside or topic in self._topics or is_of_none

    def _is_behind(self, position: Position, ends: Mapping[Place, int]) -> bool:
        """Whether more of it is stored than is read with this step, or another process is reading it."""
        if position.topic not in self._topics:
            return True
        if position.untold and position.start < position.following:
            return True
        return ends.get(position.key, position.checked.next if position.checked else 0) < position.end

    def _compared(self, fresh: Fresh, read: list[Position], slices: list[Slice]) -> "_Done":
        """The slices examined; again without the messages over which that comes to nothing, which are told of."""
        withheld = 0
        while True:
            before = deepcopy(self.findings), Counter(self.checked)
            try:
                with transaction.atomic():
                    checker = fresh()
                    done = self._examine(checker, read, slices)
                    checker.finish()
            except Exception as error:
                if is_away(error):
                    raise
                self.findings, self.checked = before
                found = self._withhold(fresh, slices) or self._withhold_together(fresh, slices)
                withheld += found
                if not found or withheld >= MOST:
                    raise
            else:
                keep_marks(read, done.marks)
                return done

    def _withhold(self, fresh: Fresh, slices: list[Slice]) -> int:
        """How many messages cannot be compared even alone; ``MOST`` where there are more."""
        found = 0
        for part in slices:
            for chunk in self._chunks(part):
                new = culprits(chunk, lambda chunk: _attempt(fresh, [chunk]))
                found += len(new.keys() - self._withheld[part.key].keys())
                self._withheld[part.key] |= new
                if found >= MOST:
                    return MOST
        return found

    def _withhold_together(self, fresh: Fresh, slices: list[Slice]) -> int:
        """How many messages, of any of the slices, cannot be compared with others; 0 where it is all or none."""
        chunks = [chunk for part in slices for chunk in self._chunks(part)]
        found = culprits_together(chunks, partial(_attempt, fresh))
        for chunk, new in zip(chunks, found, strict=True):
            self._withheld[chunk.place.key] |= new
        return sum(map(len, found))

    def _chunks(self, part: Slice) -> Iterator[Chunk]:
        """The messages of a slice, those named that are withheld by now."""
        for chunk in self._log.chunks(part):
            chunk.withheld = dict(self._withheld[part.key])
            yield chunk

    def _checker(
        self, cursor: CursorWrapper, gaps: Gaps, read: list[Position], *, is_new: bool, behind: Sequence[Place] = ()
    ) -> Checker:
        return Checker(
            cursor, self._readers, self.findings, self._run.started_at, self._books, self.checked, Twins(self._log),
            gaps, is_new, [position.key for position in read if position.is_inexact], behind, read,
            self._topics,
        )  # fmt: skip

    def _examine(self, checker: Checker, read: list[Position], slices: list[Slice]) -> "_Done":
        at, done = {position.key: position for position in read}, _Done(checker)
        for position in read:
            self.checked[position.topic] += 0
        for part in slices:
            done.logged[part.key] = part.logged
            position = at[part.key]
            for gap in missing(position, full=self._run.full) if part.is_new else ():
                self.findings.add(gap)
            for chunk in self._chunks(part):
                checker.examine(chunk)
                done.logged[part.key] = chunk.logged
                done.marks[part.key] |= chunk.marks
            # A run over everything has many steps; where nothing has come it need not look again.
            if part.is_new and not (self._run.full and position.checked and part.start == part.end):
                checker.check_beyond(position.beyond)
                done.beyond.append(position.beyond)
        return done


def _moving(walker: Walker) -> set[str]:
    """The partitions and the walks along tables that come to the end of a round."""
    return {name_of(one.place) for one in circle.rounds(walker.read)} | {walk.name for walk in walked_in(walker)}


def _attempt(fresh: Fresh, chunks: list[Chunk]) -> None:
    """Compare what the chunks have, and tell nobody."""
    checker = fresh()
    checker.findings, checker.checked = Findings(), Counter()
    for chunk in chunks:
        checker.examine(chunk)
    checker.finish()
