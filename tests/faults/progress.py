"""How far a stream is."""

import psycopg

from tests.spine import Spine, until


def stored(spine: Spine, stream: str) -> int:
    """Messages of all its partitions that it has settled."""
    query = "SELECT coalesce(sum(next), 0)::bigint FROM streams_offset WHERE stream = %s"
    return int(spine.value(query, stream))


def gone_on(spine: Spine, stream: str, timeout: float = 60.0) -> None:
    """Wait until the stream has stored more than it has now; Postgres may be just coming back."""
    until(lambda: _read(spine, stream) is not None, "Postgres answers")
    since = stored(spine, stream)
    try:
        until(lambda: (_read(spine, stream) or 0) > since, f"{stream} goes on", timeout)
    except TimeoutError as error:
        # Whether the stream stands still, or what it is sent.
        raise TimeoutError(f"{error}; {since} messages are settled, these wait: {spine.lag(stream)}") from None


def _read(spine: Spine, stream: str) -> int | None:
    try:
        return stored(spine, stream)
    except psycopg.OperationalError:
        return None
