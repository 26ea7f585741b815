"""Values that hold from a moment on: what was judged under a former one keeps that verdict."""

from datetime import UTC, datetime, timedelta

from django.core.exceptions import ImproperlyConfigured

# From when each value holds; the first one holds for all that was before.
Dated = tuple[tuple[datetime, timedelta], ...]

_SHAPE = (
    "Write the first value without a moment and each that follows with one later than the last and with a time zone:"
    " 15; 7.5 from 2026-12-01T00:00Z"
)
EVER = datetime.min.replace(tzinfo=UTC)


def dated_minutes(name: str, text: str) -> Dated:
    """``15`` or ``15; 7.5 from 2026-12-01T00:00Z; …``: the first without a moment, then each later than the last.

    Raises:
        ImproperlyConfigured: it is not written like that.
    """
    found: list[tuple[datetime, timedelta]] = []
    for part in text.split(";"):
        minutes, _, moment = part.strip().partition(" from ")
        try:
            since = datetime.fromisoformat(moment.strip()) if found or moment else EVER
            value = timedelta(minutes=float(minutes))
        except (ValueError, OverflowError) as error:
            raise ImproperlyConfigured(f"{name}: {part.strip()!r} cannot be read: {error}. {_SHAPE}") from None
        is_in_order = since > found[-1][0] if found and since.tzinfo else not found and since == EVER
        if not is_in_order or value < timedelta():
            raise ImproperlyConfigured(f"{name}: {part.strip()!r} is out of place. {_SHAPE}")
        found.append((since, value))
    return tuple(found)
