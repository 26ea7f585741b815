"""What one step compares: the ranges of offsets it is given, and what follows from all of them at its end."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.kernel.clock import microseconds
from backoffice.metrics.rollup import rolled_before
from backoffice.streams.store.projection import STREAMS, Stream

from .books import Books
from .checks.accounting import Accounted, account
from .checks.comparing import Differing, Stretch, shown
from .checks.doubles import check_doubled, check_still_doubled
from .checks.facts import flatten
from .checks.letters import Twins, check_letters
from .checks.linked import check_linked
from .checks.repeats import check_repeats
from .checks.replays import check_replays
from .checks.rows import check_nothing_beyond, check_rows, fact_tables
from .checks.states import StateCheck
from .checks.tallies import Late, Tally
from .checks.traces import check_traces
from .checks.unseen import unseen_messages, unseen_rests, unseen_sums
from .checks.wants import FOLDED, Want
from .checks.windows import activity, came_late, count, counted_topics, windows
from .declared import Agreement, Book, Description, Heard, State, Unique, described, descriptions
from .differences import MORE, Difference, Found, Standing, Unjudged, Weight
from .findings import Findings
from .known import Gaps
from .messages.log import Chunk, Slice
from .messages.reading import Events, Readers
from .positions import Position, told_until

EXCUSED = "something that is known may explain it"
NOT_THE_SUM = "the sums are not those of the events."


@dataclass
class Checker:
    """Compares the slices of one step. With ``is_new`` they are read for the first time, and the books are carried on.

    ``inexact`` are the (stream, topic, partition) of which the log has lost messages that were stored; ``behind`` those
    of which more is stored than will have been read after this step. ``read`` is how far each stream is, as the
    snapshot has it. ``topics`` are those that this process has; the others another one of the run may have.
    """

    cursor: CursorWrapper
    readers: Readers
    findings: Findings
    now: datetime
    books: Books
    checked: Counter[str]
    twins: Twins
    gaps: Gaps
    is_new: bool
    inexact: Sequence[tuple[str, str, int]] = ()
    behind: Sequence[tuple[str, str, int]] = ()
    read: Sequence[Position] = ()
    topics: frozenset[str] = frozenset(TOPICS)
    _states: dict[tuple[str, str], list[StateCheck]] = field(default_factory=dict)
    _sums: dict[str, Tally] = field(default_factory=dict)
    _accounts: dict[str, StateCheck] = field(default_factory=dict)

    def examine(self, chunk: Chunk) -> None:
        place = chunk.place
        found = account(self.cursor, chunk, self.readers, self.gaps)
        self.checked[place.topic] += len(chunk.messages)
        self._note(place.stream, found.differences)
        self._note(place.stream, check_letters(self.cursor, chunk, found, self.now, self.twins))
        is_inexact = any(key[:2] == place.key[:2] for key in self.inexact)
        replays = check_replays(self.cursor, chunk, found.letters, self.now, self.twins.log, is_inexact=is_inexact)
        self._note(place.stream, replays)
        self._note(place.stream, check_repeats(self.cursor, chunk, found))
        self._note(place.stream, unseen_messages(chunk, self.standing, self.findings.rests))
        self._fold(place, found)
        for record, events in found.events.items():
            flatten(place.stream.name, record, events.bodies)
        tables = fact_tables(place.stream, TOPICS[place.topic].records)
        self._note(place.stream, check_rows(self.cursor, chunk, tables, found.events))
        said = described(place.stream.name)
        for link in said.links:
            if link.topic == place.topic and link.fact in tables:
                self._note(place.stream, check_linked(self.cursor, chunk, link, found.events))
        for trace in said.traces:
            if trace.topic == place.topic:
                self._note(place.stream, check_traces(self.cursor, chunk, trace, found))
        for unique in said.unique:
            if unique.table in tables:
                self._note(place.stream, check_doubled(self.cursor, chunk, unique))
        for agreement in said.agreements:
            if agreement.topic == place.topic:
                self._note(place.stream, self._at_odds(place, agreement, found.events))

    def check_beyond(self, beyond: Slice) -> None:
        tables = fact_tables(beyond.stream, TOPICS[beyond.topic].records)
        self._note(beyond.stream, check_nothing_beyond(self.cursor, beyond, tables))

    def finish(self) -> None:
        """Compare what was gathered from all ranges with the tables of state and of sums."""
        for (stream, _), states in self._states.items():
            for state in states:
                self._finish_state(stream, state)
        for name, accounts in self._accounts.items():
            self._finish_state(name, accounts)
        for said in descriptions():
            for unique in filter(partial(self._has, said), said.unique):
                self.note(said.stream, check_still_doubled(self.cursor, unique, self.standing))
        if self.is_new:
            self._finish_sums()

    def _finish_state(self, stream: str, state: StateCheck) -> None:
        self.note(stream, state.finish(self.cursor, self.findings))
        for found in state.agreeing(self.cursor, self.standing):
            self.findings.agree(found)

    def _has(self, said: Description, unique: Unique) -> bool:
        """Whether it is for this process to look at the whole table, and not for another one of the run."""
        stream = STREAMS[said.stream]
        topics = [name for name, topic in TOPICS.items() if unique.table in fact_tables(stream, topic.records)]
        return not self.topics.isdisjoint(topics[:1])

    def note(self, stream: str, found: Iterable[Found]) -> None:
        for one in found:
            told = replace(one, stream=stream)
            if isinstance(told, Unjudged):
                if told.why == MORE:
                    self.findings.cut_off(told)
                self.findings.leave(told)
                continue
            self.findings.add(replace(told, log=self._log_of(told)))
            if told.weight is Weight.KNOWN:
                self.findings.leave(Unjudged.of(told, EXCUSED))

    def _log_of(self, found: Difference) -> str:
        """Which log has the offsets of what was found by reading them."""
        if found.walk or not found.offsets:
            return ""
        place = found.stream, found.topic, found.partition
        return next((each.beyond.log_at(found.offsets[1]) for each in self.read if each.key == place), "")

    @property
    def standing(self) -> Sequence[Standing]:
        return self.findings.standing or ()

    def leave(self, unjudged: Iterable[Unjudged]) -> None:
        """Of findings that stand open, whichever stream they are of."""
        for one in unjudged:
            self.findings.leave(one)

    def note_sums(self, tally: Tally, rows: Differing) -> None:
        want = tally.want
        check = "balances" if want.topic else "windows"
        listed, total = 0, 0
        for kafka, postgres, total in rows:  # noqa: B007 - the last one is used
            listed += 1
            self.findings.add(shown(check, NOT_THE_SUM, want, kafka, postgres, topic=want.topic))
        self.findings.more(check, total - listed, topic=want.topic)

    def sums_within(self, tally: Tally, stretch: Stretch) -> None:
        """All rows of a stretch of a table of sums; those of places that are behind must only not fall short."""
        short = [*self._places(tally, self.inexact), *self._places(tally, self.behind)]
        self.note_sums(tally, tally.differing_within(self.cursor, stretch, short))
        self.leave(unseen_sums(self.cursor, tally, self.standing, short))
        topics = {place.rpartition("/")[0] for place in short}
        rests = [rest for rest in self.findings.rests if rest.get("topic") in topics]
        self.leave(unseen_rests(rests, walk_of(tally), tally.differing_within(self.cursor, stretch, [])))

    def states_of(self, stream: str, topic: str, records: Iterable[str]) -> list[StateCheck]:
        """The checks of the states that the stream makes of these records of the topic."""
        key = (stream, topic)
        if key not in self._states:
            said, known = described(stream), set(records) & set(TOPICS[topic].records)
            self._states[key] = [
                self._state(state, stream, topic)
                for state in (*said.states, *activity(said, known))
                if known & set(state.records)
            ]
        return self._states[key]

    def tally_of_windows(self, stream: str) -> Tally:
        name = f"window {stream}"
        if name not in self._sums:
            counting = tuple(said.stream for said in descriptions() if counted_topics(said))
            self._sums[name] = Tally(windows(stream), self.books.windows, "stream", stream, counting, self._late)
        return self._sums[name]

    @cached_property
    def _late(self) -> Late | None:
        return came_late(self.cursor)

    @cached_property
    def _rolled_before(self) -> int:
        """Microseconds."""
        return microseconds(rolled_before())

    def tally_of(self, book: Book) -> Tally:
        key = ("account_id", "partition")
        want = Want(
            f"balance_{book.name.replace(' ', '_')}", book.target or self.books.balances, key, ("debits", "credits"),
            adding=True, topic=book.topic, is_held=bool(book.target),
        )  # fmt: skip
        return self._sums.setdefault(
            f"book {book.name}", Tally(want, self.books.balances, "book", book.name, (book.name,))
        )

    def accounts_of(self, stream: str, book: Book) -> StateCheck:
        if book.name not in self._accounts:
            state = State(f"account_{book.name}", TOPICS[book.topic].records, book.accounts, {"id": "id"}, (),
                          dict.fromkeys(book.account_columns, ""))  # fmt: skip
            self._accounts[book.name] = self._state(state, stream, book.topic)
        return self._accounts[book.name]

    def _state(self, state: State, stream: str, topic: str) -> StateCheck:
        may_be_later = any(each.is_from_the_middle for each in self.read if each.key[:2] == (stream, topic))
        return StateCheck(state, stream, topic, self.books.states, is_new=self.is_new, may_be_later=may_be_later)

    def _fold(self, place: Slice, found: Accounted) -> None:
        stream, topic = place.stream, place.topic
        said = described(stream.name)
        states = self.states_of(stream.name, topic, stream.records())
        for state in states:
            state.forget(self.cursor, found.gone)
        for record, events in found.events.items():
            for state in states:
                state.take(self.cursor, record, events)
                state.flush(self.cursor)
            for book in said.books:
                if book.topic == topic:
                    self._book(place, book, record, events)
            if self.is_new and not TOPICS[topic].compacted:
                want = self.tally_of_windows(stream.name).want
                count(want, said, topic, place.partition, record, events, self._rolled_before)
        for tally in self._sums.values():
            tally.want.flush(self.cursor, at_least=FOLDED)

    def _book(self, place: Slice, book: Book, record: str, events: Events) -> None:
        sums = self.tally_of(book).want
        accounts = self.accounts_of(place.stream.name, book) if book.accounts else None
        rows = accounts.want.rows if accounts else {}
        for event in events.bodies:
            for found, row, debits, credits in book.entries(record, event):
                if self.is_new:
                    sums.add((found, place.partition), debits, credits)
                if row is not None and (found,) not in rows:
                    rows[(found,)] = row
        if accounts and len(rows) >= FOLDED:
            accounts.want.flush(self.cursor)

    def _finish_sums(self) -> None:
        """What is new is added to the sums of earlier steps; where these are complete, the tables must have them."""
        for said in descriptions():
            tallies = [self.tally_of(book) for book in said.books]
            tallies += [self.tally_of_windows(said.stream)] if counted_topics(said) else []
            for tally in tallies:
                self._carry_on(tally)

    def _carry_on(self, tally: Tally) -> None:
        inexact, behind = self._places(tally, self.inexact), self._places(tally, self.behind)
        tally.want.flush(self.cursor)
        # Only that finds again what is cut off here: what is read again is added to no sum.
        with self.findings.along(walk_of(tally)):
            if tally.want.is_made:
                tally.add(self.cursor, behind)
                if tally.want.is_held:
                    self.note_sums(tally, tally.differing(self.cursor, inexact))
            self.note_sums(tally, tally.differing_opened(self.cursor, inexact, behind))

    @staticmethod
    def _places(tally: Tally, places: Sequence[tuple[str, str, int]]) -> list[str]:
        """Topic and partition, as the tally writes them, of those places that streams of its table read."""
        of_windows = {said.stream: counted_topics(said) for said in descriptions()}
        of_books = {said.stream: {book.topic for book in said.books} for said in descriptions()}
        topics = of_windows if tally.column == "stream" else of_books
        return [f"{topic}/{partition}" for stream, topic, partition in places if topic in topics.get(stream, ())]

    def _at_odds(self, place: Slice, agreement: Agreement, events: Mapping[str, Events]) -> Iterable[Found]:
        mine = {record: events[record] for record in agreement.records if record in events}
        if not mine:
            return ()
        is_whole = not any(each.lacks_events for each in self.read if each.key[:2] == place.key[:2])
        told = partial(told_until, self.read)
        return agreement.look(Heard(self.cursor, place.partition, mine, place.former_until, is_whole, told))

    def _note(self, stream: Stream, found: Iterable[Found]) -> None:
        self.note(stream.name, found)


def walk_of(tally: Tally) -> str:
    """The name of the walk along the table of the sums."""
    return walk_name(tally.name if tally.want.topic else "windows", tally.want.target)


def walk_name(name: str, table: str) -> str:
    """The name of a walk: what is looked for, and along which table."""
    return f"{name} in {table}"
