"""What the watch over the lanes has seen, noted in Postgres beside it: a write may wait or be refused, and keeps nobody
from seeing.

Nothing is kept here. What could not be noted is seen again by the next look, and noted then.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backoffice.kernel.asking import Question
from backoffice.kernel.errors import Retryable

from ...database import Connection, brief

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """``what`` it is about, in words, and how it is written."""

    what: str
    write: Callable[[Connection], None]


class Notes:
    """Written one by one, each in a session of its own: one that is refused keeps no other from being written."""

    def __init__(self) -> None:
        self._due: Sequence[Note] = ()
        self._refused: dict[str, str] = {}
        self._writing = Question("notes", self._write_due)

    def write(self, notes: Sequence[Note]) -> None:
        """In a thread that nobody waits for. While it is at earlier ones, these are left to the next look."""
        self._due = notes
        if notes:
            answer = self._writing.put()
            if answer.done() and (error := answer.exception()) is not None:
                log.error("what was seen is %s; it is tried again with each look", error)

    def finish(self, seconds: float) -> None:
        """Wait, so long at the most, for what is being written."""
        self._writing.finish(seconds)

    def _write_due(self) -> None:
        due = self._due
        self._refused = {note.what: self._refused[note.what] for note in due if note.what in self._refused}
        for note in due:
            try:
                with brief() as connection:
                    note.write(connection)
            except Retryable as error:
                # What is behind the first line of an error differs each time (who waits for whom).
                self._tell(note, (str(error).strip().splitlines() or [type(error).__name__])[0])
            except BaseException:
                # A panic of a Rust library is no Exception; see `LaneThread`.
                log.exception("%s cannot be written; it is tried again with each look", note.what)
            else:
                self._refused.pop(note.what, None)

    def _tell(self, note: Note, why: str) -> None:
        """Once for each reason."""
        if self._refused.get(note.what) != why:
            log.error("%s cannot be written now, and is tried again with each look: %s", note.what, why)
            self._refused[note.what] = why
