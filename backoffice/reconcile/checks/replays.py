"""Each dead letter that was sent again has its message: in the log, or in the outbox, where it waits."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper

from backoffice.contracts.catalogue import TOPICS
from backoffice.streams.standing import REPLAY_OF, standing_headers

from ..differences import Difference, Found, Unjudged
from ..messages.log import Chunk, Log, Said
from .accounting import Letter
from .letters import CLOCKS_APART, UNSOUGHT

NO_REPLAY = (
    "The dead letter is replayed, but its message is neither in the log nor waiting in the outbox; nothing was stored."
)
_NAMES = (REPLAY_OF, *standing_headers(0, 0))


def check_replays(
    cursor: CursorWrapper, chunk: Chunk, letters: Mapping[int, Letter], now: datetime, log: Log, *, is_inexact: bool
) -> Iterator[Found]:
    """Those of a log that lost messages which were stored (``is_inexact``) are asked for in the outbox only, and it is
    not known whether that is all; so are those of a compacted topic, and those that were sent again longer ago than
    the topic keeps its messages.
    """
    sent_again = {offset: letter for offset, letter in letters.items() if letter.state == "replayed"}
    if not sent_again:
        return
    waiting, discarded = _in_outbox(cursor, [letter.number for letter in sent_again.values()])
    place, topic = chunk.place, TOPICS[chunk.place.topic]
    sought = {offset: letter for offset, letter in sent_again.items() if letter.number not in waiting}
    if topic.compacted or is_inexact:
        missing = {offset for offset, letter in sought.items() if letter.number in discarded}
        unread = sought.keys() - missing
    else:
        days = topic.retention_days
        kept = {o: x for o, x in sought.items() if days is None or now - _when(x) < timedelta(days=days)}
        missing, unread = _not_logged(chunk, kept, log)
        unread |= sought.keys() - kept.keys()
    for offset in sorted(missing | unread):
        found = Difference("dead_letters", NO_REPLAY, place.topic, place.partition, "", (offset, offset), "replay")
        yield found if offset in missing else Unjudged.of(found, UNSOUGHT)


def _not_logged(chunk: Chunk, letters: Mapping[int, Letter], log: Log) -> tuple[set[int], set[int]]:
    """Those that are not in the log, and those of which that cannot be told.

    What was sent again at once lies together; each such lot is looked for from its own time on.
    """
    lots: defaultdict[datetime, dict[Said, int]] = defaultdict(dict)
    for offset, letter in letters.items():
        headers = {REPLAY_OF: str(letter.number)} | standing_headers(*letter.standing)
        lots[_when(letter)][tuple(headers[name] for name in _NAMES)] = offset
    missing: set[int] = set()
    unread: set[int] = set()
    for at, lot in lots.items():
        found, is_read = log.told(chunk.place.topic, chunk.place.stream, _NAMES, lot.keys(), at - CLOCKS_APART)
        (missing if is_read else unread).update(offset for said, offset in lot.items() if said not in found)
    return missing, unread


def _in_outbox(cursor: CursorWrapper, numbers: Collection[int]) -> tuple[set[int], set[int]]:
    """Of which letters the message waits to be sent, and of which one was discarded."""
    cursor.execute(
        "SELECT (headers ->> 'replay_of')::bigint, discarded_at IS NOT NULL FROM streams_outbox"
        " WHERE headers ? 'replay_of' AND headers ->> 'replay_of' = ANY(%s) AND sent_at IS NULL",
        [[str(number) for number in numbers]],
    )
    rows = cursor.fetchall()
    return {number for number, is_over in rows if not is_over}, {number for number, is_over in rows if is_over}


def _when(letter: Letter) -> datetime:
    return letter.resolved_at or letter.died_at
