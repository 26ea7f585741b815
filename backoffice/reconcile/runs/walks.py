"""Tables are walked along their key, stretch by stretch and round after round: rows of sums and of state, child rows,
facts, and what must always hold. A stretch is compared in a step that has read all that is stored, so that it is exact.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.store.projection import STREAMS

from ..books import Books
from ..checker import Checker, walk_name
from ..checks.comparing import Stretch, key_after, within
from ..checks.linked import check_orphans
from ..checks.rows import Places, check_strangers, fact_tables
from ..checks.states import StateCheck
from ..checks.traces import check_places
from ..checks.unseen import of_former_logs, unseen_places, unseen_rests, unseen_states
from ..checks.windows import check_rolled, counted_topics
from ..declared import Invariant, Link, Look, Source, Trace, described, descriptions
from ..differences import MORE, Difference, Found, Unjudged
from ..findings import Findings
from ..models import WalkedTable
from ..positions import Position, told_until
from ..rests import with_rests
from .circle import of_rows

LACKS_EVENTS = "some of what it goes by was never stored, or may not have been"
# How long a step goes on walking before it gives its snapshot back.
STEP_SECONDS = 5.0


@dataclass(frozen=True)
class Walk:
    """``sources`` must be read as far as they are stored before ``look`` compares a stretch of the table."""

    name: str
    table: str
    key: tuple[str, ...]
    sources: frozenset[Source]
    look: Callable[[Stretch], None]


@dataclass(frozen=True)
class Walker:
    """The walks of one step, whose snapshot has the positions ``read``."""

    checker: Checker
    read: list[Position]

    def walks(self) -> list[Walk]:
        """All there are, by what the apps describe."""
        found = [*self._of_facts()]
        for stream in sorted(STREAMS):
            said = described(stream)
            found += self._of_states(stream)
            found += [
                self._walk(link.check, link.child, (link.child_key,), {(stream, link.topic)},
                           partial(self._orphans, stream, link))
                for link in said.links
            ]  # fmt: skip
            found += [
                self._walk(f"{trace.check} by place", trace.table, (trace.key,), {(stream, trace.topic)},
                           partial(self._places, stream, trace))
                for trace in said.traces
            ]  # fmt: skip
            for book in said.books:
                if book.target:
                    tally = self.checker.tally_of(book)
                    look = partial(self.checker.sums_within, tally)
                    found.append(self._walk(book.name, book.target, tally.want.key, {(stream, book.topic)}, look))
            found += [
                self._walk(invariant.name, invariant.table, invariant.key, set(invariant.sources),
                           partial(self._invariant, stream, invariant))
                for invariant in said.invariants
            ]  # fmt: skip
        counting = [said for said in descriptions() if counted_topics(said)]
        for said in counting[:1]:
            tally = self.checker.tally_of_windows(said.stream)
            sources = {(each.stream, topic) for each in counting for topic in counted_topics(each)}
            look = partial(self.checker.sums_within, tally)
            found.append(self._walk("windows", tally.want.target, tally.want.key, sources, look))
            found.append(self._walk("moment", "metrics_rolled", ("id",), sources, self._rolled))
        return found

    @staticmethod
    def _walk(
        name: str, table: str, key: tuple[str, ...], sources: set[Source], look: Callable[[Stretch], None]
    ) -> Walk:
        return Walk(walk_name(name, table), table, key, frozenset(sources), look)

    def _of_facts(self) -> Iterator[Walk]:
        """Rows that name a place at which none of their record can be stored."""
        places: dict[str, dict[tuple[str, str], set[int]]] = defaultdict(lambda: defaultdict(set))
        keys: dict[str, tuple[str, ...]] = {}
        sources: dict[str, set[Source]] = defaultdict(set)
        for position in self.read:
            for table, records in fact_tables(position.stream, TOPICS[position.topic].records).items():
                for record in records:
                    places[table][position.stream.name, record].add(position.partition)
                    fact = position.stream.fact_of(record)
                    keys[table] = fact.key if fact else ()
                sources[table].add(position.key[:2])
        for table, known in sorted(places.items()):
            yield self._walk(
                "facts", table, keys[table], sources[table], partial(self._strangers, table, known, keys[table])
            )

    def _strangers(self, table: str, places: Places, key: tuple[str, ...], stretch: Stretch) -> None:
        self._note("", "facts", table, check_strangers(self.checker.cursor, table, places, stretch, key))

    def _of_states(self, stream: str) -> Iterator[Walk]:
        records = STREAMS[stream].records()
        topics = [name for name, topic in TOPICS.items() if records & set(topic.records)]
        checks = [(topic, check) for topic in topics for check in self.checker.states_of(stream, topic, records)]
        checks += [
            (book.topic, self.checker.accounts_of(stream, book)) for book in described(stream).books if book.accounts
        ]
        versions: dict[str, dict[str, None]] = defaultdict(dict)
        for _, check in checks:
            versions[check.want.target] |= dict.fromkeys(check.want.by[:1])
        for topic, check in checks:
            # Whoever comes first looks for rows that have no version at all.
            others = tuple(versions.pop(check.want.target, ()))
            look = partial(self._untold, stream, topic, check, others)
            yield self._walk(check.want.name, check.want.target, check.want.key, {(stream, topic)}, look)

    def _untold(self, stream: str, topic: str, check: StateCheck, others: tuple[str, ...], stretch: Stretch) -> None:
        mine = self._of({(stream, topic)})
        is_whole = all(position.has_every_key for position in mine)
        is_cut = check.may_be_later or any(position.cuts for position in mine)
        found = check.untold(
            self.checker.cursor, stretch, self.checker.findings, others=others, is_whole=is_whole, is_cut=is_cut
        )
        self.checker.note(stream, found)
        self.checker.leave(
            unseen_states(self.checker.cursor, check, self.checker.findings, is_whole=is_whole, is_cut=is_cut)
        )
        if is_cut or not is_whole:
            walk = walk_name(check.want.name, check.want.target)
            by_all = check.untold(self.checker.cursor, stretch, Findings(), others=others, is_whole=True)
            self.checker.leave(unseen_rests(self.checker.findings.rests, walk, by_all))

    def _rolled(self, _stretch: Stretch) -> None:
        self._note("", "moment", "metrics_rolled", check_rolled(self.checker.cursor))

    def _orphans(self, stream: str, link: Link, stretch: Stretch) -> None:
        self._note(stream, link.check, link.child, check_orphans(self.checker.cursor, link, stretch))

    def _places(self, stream: str, trace: Trace, stretch: Stretch) -> None:
        mine = self._of({(stream, trace.topic)})
        if not mine:
            return
        ends = {position.partition: max(position.following, position.cut_until) for position in mine}
        generation = max(position.generation for position in mine)
        name, cursor = f"{trace.check} by place", self.checker.cursor
        self._note(stream, name, trace.table, check_places(cursor, trace, stretch, generation, ends))
        walk, former = walk_name(name, trace.table), of_former_logs(cursor, trace, generation)
        self.checker.leave(unseen_places(cursor, trace, self.checker.standing, walk, generation))
        self.checker.leave(unseen_rests(self.checker.findings.rests, walk, former))

    def _invariant(self, stream: str, invariant: Invariant, stretch: Stretch) -> None:
        condition, bounds = within(invariant.table, invariant.key, stretch)
        look = Look(
            self.checker.cursor, condition, bounds, stretch.last is None, sql.Identifier(self.checker.books.balances),
            partial(told_until, self.read),
        )  # fmt: skip
        found = invariant.look(look)
        if invariant.needs_all and any(position.lacks_events for position in self._of(invariant.sources)):
            found = _undecided(found)
        self._note(stream, invariant.name, invariant.table, found)

    def _note(self, stream: str, name: str, table: str, found: Iterable[Found]) -> None:
        """Only the walk finds it again, not whoever reads at its offsets, if it has any."""
        walk = walk_name(name, table)
        self.checker.note(stream, (replace(one, walk=walk) if _is_its_own(one) else one for one in found))

    def _of(self, sources: Collection[Source]) -> list[Position]:
        return [position for position in self.read if position.key[:2] in sources]


def _is_its_own(found: Found) -> bool:
    """What it has seen, and what lies behind the rows that it lists."""
    return isinstance(found, Difference) or found.why == MORE


def _watched(findings: Findings, walk: Walk, stretch: Stretch) -> None:
    with findings.along(walk.name):
        walk.look(stretch)


def table_of(name: str) -> str:
    """The table of the walk that has this name."""
    return name.rpartition(" in ")[2]


def _undecided(found: Iterable[Found]) -> Iterator[Unjudged]:
    """What is found where something was never stored, or may not have been, can be just that."""
    for one in found:
        yield one if isinstance(one, Unjudged) else Unjudged.of(one, LACKS_EVENTS)


def go_on(walker: Walker, books: Books, now: datetime) -> None:
    """Walk on: each table by its share since it last went on, so that all of it has its turn in time."""
    cursor, hurried, pace = walker.checker.cursor, with_rests(), of_rows()
    for walk in _ready(walker):
        walked = _walked(books, walk, now)
        # As much as in the time for all where more was found than is noted.
        since = pace.within if walk.name in hurried else now - walked.went_on_at
        _go(cursor, walked, walk, now, pace.share(rows_of(cursor, walk.table), since))


def go_once(walker: Walker, books: Books, now: datetime, rows: int) -> tuple[int, int]:
    """Walk stretches of so many rows along the tables that were not walked to their end yet, for some seconds.

    Returns how many tables are done, and of how many.
    """
    cursor, ready, until = walker.checker.cursor, list(_ready(walker)), time.monotonic() + STEP_SECONDS
    done = set(books.walks._default_manager.filter(rounds__gt=0).values_list("name", flat=True))
    left = [walk for walk in ready if walk.name not in done]
    while left and time.monotonic() < until:
        if _go(cursor, _walked(books, left[0], now), left[0], now, rows):
            del left[0]
    return len(ready) - len(left), len(ready)


def _ready(walker: Walker) -> Iterator[Walk]:
    """Those whose sources are read as far as they are stored. What another process reads is left to a later run."""
    behind = {place[:2] for place in walker.checker.behind}
    return (walk for walk in walked_in(walker) if not walk.sources & behind)


def walked_in(walker: Walker) -> Iterator[Walk]:
    """The walks that have their turn sooner or later: something of their sources is stored."""
    read = {position.key[:2] for position in walker.read}
    return (
        replace(walk, look=partial(_watched, walker.checker.findings, walk))
        for walk in walker.walks()
        if walk.sources & read
    )


def _walked(books: Books, walk: Walk, now: datetime) -> WalkedTable:
    """How far it is."""
    found, _ = books.walks._default_manager.get_or_create(
        name=walk.name, defaults={"round_began_at": now, "went_on_at": now}
    )
    return found


def _go(cursor: CursorWrapper, walked: WalkedTable, walk: Walk, now: datetime, rows: int) -> bool:
    """Whether the walk has come to the end of its table."""
    after = tuple(walked.after) if walked.after is not None else None
    last = key_after(cursor, walk.table, walk.key, after, rows)
    walk.look(Stretch(after, last))
    walked.after, walked.went_on_at = None if last is None else list(last), now
    if last is None:
        walked.rounds, walked.round_began_at = walked.rounds + 1, now
    walked.save()
    return last is None


def rows_of(cursor: CursorWrapper, table: str) -> int:
    """About how many rows the table has, partitions included, by the planner's statistics; 0 where there is none."""
    cursor.execute(
        # A table without partitions is in no tree.
        "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class WHERE relkind = 'r' AND oid IN"
        " (SELECT to_regclass(%s)::oid UNION SELECT relid FROM pg_partition_tree(to_regclass(%s)))",
        [table, table],
    )
    return int(cursor.fetchone()[0])
