"""The status as text for a terminal of some width: every number with its age, what is wrong marked with "!"."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import zip_longest
from textwrap import wrap

from backoffice.streams.jobs import Job

from .alerts import UnsentAlert
from .differences import Differences
from .facts import UNREAD
from .figures import FIGURES, Column
from .outbox import Outbox
from .progress import TopicProgress
from .silence import Silent, Source
from .status import Status

NARROW = 80
WIDE = 120
# For so long after the last event of a clock that is ahead somebody has to look for it.
LEAD_IS_WRONG = timedelta(hours=1)
# So many alerts are shown whole; the rest is counted.
ALERTS_SHOWN = 5
_GAP = "  "
_LABEL = 17
_OVERVIEW = 52
_AGE = 8
_CURRENCY = 5

Cells = Mapping[tuple[str, str], str]


def as_screen(status: Status | str, parts: Mapping[str, str], width: int = NARROW) -> str:
    """Lines of at most ``width`` characters; while Postgres does not answer, ``status`` says why.

    On a wide terminal what belongs together stands side by side.
    """
    if isinstance(status, str):
        return "\n".join([*_parts(parts, width), *wrap(f"There are no numbers without Postgres. {status}", width)])
    if width >= WIDE:
        health = [*_topics(status), "", *_sources(status, width - _OVERVIEW - len(_GAP))]
        blocks = [_beside(_overview(status, parts, _OVERVIEW), health, _OVERVIEW), _money(status, width)]
    else:
        blocks = [_overview(status, parts, width), _topics(status), _sources(status, width), _money(status, width)]
    return "\n\n".join("\n".join(block) for block in blocks)


def age(at: datetime | None, now: datetime) -> str:
    """How long ago, short enough for a column: 0.4 s, 45 s, 12 min, 3 h, 9 d; a dash where it never was."""
    if at is None:
        return "–"
    return "now" if at == now else _lasting(now - at)


def _lasting(span: timedelta) -> str:
    seconds = max(0.0, span.total_seconds())
    if seconds == 60:
        return "1 min"
    for limit, length, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds:.1f} s" if seconds < 10 else f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def _overview(status: Status, parts: Mapping[str, str], width: int) -> list[str]:
    told = {"events_per_second": ("Events", f"{status.events_per_second:,.1f} a second, last full minute")}
    if "events_per_second" in status.unread:
        told = {}
    for name, figure in FIGURES.items():
        if figure.line and name in status.figures:
            told[name] = (figure.line.label, figure.line.text(status.figures[name]))
    lines = [f"{f'{status.at:%Y-%m-%d %H:%M:%S} UTC':<{width - _AGE}}{'age':>{_AGE}}", *_parts(parts, width)]
    for name, (label, text) in told.items():
        lines += _line(label, text, age(status.as_of[name], status.at), width)
    if status.unread:
        lines += _line("! UNREAD", f"{', '.join(status.unread)}: {UNREAD}", "now", width)
    halted = ", ".join(status.halted)
    if "topics" not in status.unread:
        lines += _line("! HALTED" if halted else "Halted", halted or "none", "now", width)
    rest: dict[str, Iterable[str]] = {
        "! DIVERTED": status.diverted, "! STALLED": status.stalled, "! No partition": status.missing_partitions,
    }  # fmt: skip
    rest["! OVERDUE"] = [_overdue(job, status.at) for job in status.jobs if job.is_overdue(status.at)]
    for each in status.differences:
        rest[f"! {each.kind}"] = _differing(each, status.at)
    rest["! SKIPPED"] = status.skipped
    rest["! METRICS"] = status.hidden_metrics
    for label, found in rest.items():
        lines += _line(label, ", ".join(found), "now", width) if found else []
    return [*lines, *_outbox(status.outbox, status.at, width), *_alerts(status.unsent_alerts, status.at, width)]


def _outbox(outbox: Outbox | None, now: datetime, width: int) -> list[str]:
    """A line with the age of the oldest, and one for each topic of which messages cannot be sent, with the reason."""
    if outbox is None:
        return []
    text = f"{outbox.ready:,} to be sent" + (f", {outbox.held:,} held" if outbox.held else "")
    label = "! Outbox" if outbox.topics or outbox.is_late(now) else "Outbox"
    lines = _line(label, text, age(outbox.oldest_at, now), width)
    if outbox.blocked and outbox.is_late(now):
        lines += _line("", outbox.blocked.strip(), "now", width)
    for held in outbox.topics:
        lines += _line(
            "",
            f"{held.topic}, {'all of it' if held.whole else f'{held.keys:,} keys'}: {held.reason}",
            age(held.since, now),
            width,
        )
    return lines


def _alerts(alerts: tuple[UnsentAlert, ...], now: datetime, width: int) -> list[str]:
    """Alerts that nobody else has heard of, as they would have been told."""
    if not alerts:
        return []
    lines = _line("! ALERTS", f"{len(alerts):,} not sent yet", age(alerts[0].raised_at, now), width)
    for alert in alerts[:ALERTS_SHOWN]:
        lines += _line("", f"{alert.kind}: {alert.summary}", age(alert.raised_at, now), width)
    return lines


def _parts(parts: Mapping[str, str], width: int) -> list[str]:
    away = [name for name, said in parts.items() if said != "ok"]
    text = ", ".join(f"{name} {said}" for name, said in parts.items())
    return _line("! Parts" if away else "Parts", text, "now", width)


def _line(label: str, text: str, old: str, width: int) -> list[str]:
    room = width - _LABEL - _AGE - 1
    first, *rest = wrap(text, room) or [""]
    return [f"{label:<{_LABEL}}{first:<{room + 1}}{old:>{_AGE}}", *(" " * _LABEL + line for line in rest)]


def _overdue(job: Job, now: datetime) -> str:
    last = f"last done {age(job.succeeded_at, now)} ago" if job.succeeded_at else "never done"
    by_hand = f"; its work is done by hand in {job.by_hand}" if job.by_hand else ""
    return f"{job.name} ({last}{by_hand})"


def _differing(found: Differences, now: datetime) -> list[str]:
    each = {"differences": found.differences, "warnings": found.warnings}
    return [
        f"{what} open: {some.count:,}, the first for {age(some.since, now)}"
        for what, some in each.items()
        if some.count
    ]


def _topics(status: Status) -> list[str]:
    head = ("", "Stream", "Topic", "Newest", "Stored", "Lag now", "Dead now")
    rows = [head, *(_topic(progress, status) for progress in status.topics)]
    lines = [f"{m:<2}{s:<11}{t:<19}{n:>8}{o:>8}{lag:>9}{d:>9}" for m, s, t, n, o, lag, d in rows]
    lines += [_lead(progress, status.at) for progress in status.topics if progress.lead.events]
    return lines + _slow_clocks(status.topics)


def _slow_clocks(topics: Iterable[TopicProgress]) -> list[str]:
    """Of each stream whose worker's clock is behind that of Kafka's brokers."""
    most: dict[str, timedelta] = {}
    for progress in topics:
        most[progress.stream] = max(progress.behind, most.get(progress.stream, timedelta()))
    return [
        f"! {stream}: the clock of its worker is {_lasting(by)} behind Kafka's" for stream, by in most.items() if by
    ]


def _lead(progress: TopicProgress, now: datetime) -> str:
    """Events of producers whose clock is ahead of the log; what was long ago is told, but is not wrong any more."""
    lead = progress.lead
    mark = "!" if lead.last_at is not None and now - lead.last_at < LEAD_IS_WRONG else ""
    most, last = _lasting(lead.most), age(lead.last_at, now)
    return f"{mark:<2}{progress.topic}: {lead.events:,} by clocks ≤ {most} ahead, {last} ago"


def _topic(progress: TopicProgress, status: Status) -> tuple[str, ...]:
    lag = None if status.lag_by_topic is None else status.lag_by_topic.get((progress.stream, progress.topic))
    # Kafka answers, and has no such topic.
    is_gone = status.lag_by_topic is not None and lag is None
    return (
        "!" if progress.stopped or progress.dead_letters or is_gone else "",
        progress.stream,
        progress.topic,
        age(progress.newest_at, status.at),
        age(progress.stored_at, status.at),
        "?" if lag is None else f"{'≥ ' if progress.untold else ''}{lag:,}",
        f"{progress.dead_letters:,}",
    )


def _sources(status: Status, width: int) -> list[str]:
    if "sources" in status.unread:
        return ["! Feed: unread."]
    if not status.sources:
        return ["  Feed: none has a live market."]
    lines = [f"  {'Feed':<13}{'Heard':>7}{'Open now':>9}{'Silent':>9}"]
    for source in status.sources:
        lines += _source(source, status.at, width)
    return lines


def _source(source: Source, now: datetime, width: int) -> list[str]:
    mark = "!" if source.silent or source.is_silent(now) else ""
    line = f"{mark:<2}{source.name:<13}{age(source.heard_at, now):>7}{source.watched:>9,}{source.silent:>9,}"
    said = [f"all of it, limit {_lasting(source.limit)}"] if source.is_silent(now) else []
    for each in (*said, *(_silent(market, now) for market in source.longest)):
        line += "".join(f"\n    {part}" for part in wrap(each, width - 4))
    return line.split("\n")


def _silent(market: Silent, now: datetime) -> str:
    return f"{market.name}: silent for {age(market.heard_at, now)}, limit {_lasting(market.limit)}"


def _money(status: Status, width: int) -> list[str]:
    """What has a column, for the last hour: a row for each currency, as many groups side by side as fit."""
    tables = {name: figure.column for name, figure in FIGURES.items() if figure.column and name in status.figures}
    if not tables:
        return ["! Money: unread."]
    cells = {name: column.cells(status.figures[name]) for name, column in tables.items()}
    newest = [status.as_of[name] for name in tables]
    old = f"age {age(min((at for at in newest if at), default=None), status.at)}"
    title = "  " + ", and ".join(column.title for column in tables.values()) + ", last hour"
    lines = [f"{title:<{width - len(old)}}{old}"]
    places = {place for found in cells.values() for place in found}
    currencies = sorted({currency for _, currency in places})
    start = ["", *(f"  {currency:<{_CURRENCY}}" for currency in currencies)]
    rows = start
    for group in sorted({group for group, _ in places}):
        columns = _columns(group, currencies, [(tables[name], cells[name]) for name in tables])
        if len(rows[-1]) + len(columns[-1]) > width:
            lines, rows = [*lines, *rows], start
        rows = [row.ljust(_CURRENCY + 2) + cell for row, cell in zip(rows, columns, strict=True)]
    return [*lines, *rows] if currencies else [*lines, "  none yet"]


def _columns(group: str, currencies: list[str], tables: list[tuple[Column, Cells]]) -> list[str]:
    """The columns of a group under their heads, each as wide as its widest; the first head names the group."""
    lines = [""] * (len(currencies) + 1)
    for place, (column, cells) in enumerate(tables):
        head = column.head if place else f"{group} {column.head}"
        texts = [head, *(cells.get((group, currency), column.nothing) for currency in currencies)]
        width = max(map(len, texts)) + 2
        lines = [f"{line}{text:>{width}}" for line, text in zip(lines, texts, strict=True)]
    return lines


def _beside(left: Iterable[str], right: Iterable[str], width: int) -> list[str]:
    return [f"{a:<{width}}{_GAP}{b}".rstrip() for a, b in zip_longest(left, right, fillvalue="")]
