"""When a market was told, and which markets are not to be believed, whatever was told of them last.

Each rule is here twice, for a query and for a row that a worker tells of, and a test holds the two against each other.
Where a market stands in the log (``version_logged_at``) is not asked: that orders updates, and one broker whose clock
was ahead for a moment keeps it ahead for all that follow in the partition.

A time of a broker is held against that of another, or of Postgres, and clocks that are right are apart by less than
``CLOCK_FAST_SECONDS``. So what is nearer to a moment than that may have been told before it, and is doubted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Exists, ExpressionWrapper, F, Max, OuterRef, Q, QuerySet, TextField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Least, Now
from django.db.models.lookups import GreaterThan, GreaterThanOrEqual, LessThanOrEqual
from psycopg import sql

from backoffice.streams.clocks import furthest, lies_ahead
from backoffice.streams.database import Connection

from .models import FeedRun, ProviderSuspension

EVER = datetime.max.replace(tzinfo=UTC)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_FAST = Value(settings.CLOCK_FAST)
# The tables that say when a worker read what they tell, and what tells the messages of their rows apart beside when the
# broker took them.
READ_AT = {
    "trading_market": ("version", ("id", "version", "version_offset")),
    "trading_feedrun": ("began", ("provider", "subscription", "began_offset")),
}
# Of a row of markets the same as `told_at`. What lies ahead of Postgres' clock was not told: after a rebuild nobody may
# know when it was read.
_AT = Least("version_appended_at", "version_taken_at")
TOLD_AT = Case(When(LessThanOrEqual(_AT, Now() + _FAST), then=_AT), default=Value(NEVER))
_WAS_AHEAD = GreaterThan(F("version_appended_at"), F("version_taken_at") + _FAST)
DATED_AT = Case(When(Q(version_appended_at=None) | Q(_WAS_AHEAD), then=Value(NEVER)), default=TOLD_AT)


# Of a row of markets, for what is asked of runs beside it.
OF_ALL = Value("", output_field=TextField())
OWN = Coalesce(OuterRef("subscription"), OF_ALL)


@dataclass(frozen=True)
class Run:
    """The newest run of a feed: its id, where its beginning stands in the log (time and offset), and up to which moment
    (``dated_at``) others may have told what they told before it; `EVER` where the log does not tell when it began, for
    then nobody knows what came after it."""

    id: UUID
    place: tuple[datetime, int]
    until: datetime


@dataclass(frozen=True)
class Telling:
    """By whom and when a market was last told: the run of the provider's subscription (empty: all its markets).

    ``dated_at`` is the same where the log tells that, and not by a clock that was ahead, else `NEVER`: only the log can
    be held against the beginning of a run.
    """

    provider: str
    subscription: str
    run: UUID | None
    told_at: datetime
    dated_at: datetime


@dataclass(frozen=True)
class Doubts:
    """Which markets are not to be believed.

    ``until`` is `doubted_until`; ``begun`` has the newest run of each provider's subscription (an empty one is of all
    its markets). An earlier run may have been killed, and of what is over by now no run tells any more.
    """

    until: Mapping[str, datetime] = field(default_factory=dict)
    begun: Mapping[tuple[str, str], Run] = field(default_factory=dict)

    def cover(self, last: Telling) -> bool:
        """Whether a market is not to be believed that was last told so."""
        until = self.until.get(last.provider)
        return (until is not None and last.told_at <= until) or self.shut(last)

    def shut(self, last: Telling) -> bool:
        """Whether a run that began since shuts it."""
        own = self.begun.get((last.provider, last.subscription))
        of_all = self.begun.get((last.provider, ""))
        return any(_is_before(last, run, own) for run in (own, of_all) if run is not None)


def _is_before(last: Telling, run: Run, own: Run | None) -> bool:
    """A run's own word counts by its id, whatever clocks say, unless ``run`` began later in the log. What others tell
    counts where the log took it later, for certain."""
    if last.run == run.id or (own is not None and own.id == last.run and own.place >= run.place):
        return False
    return last.dated_at <= run.until


def is_shut(*, by: Exists | None = None) -> Q:
    """The same of a row of markets with `DATED_AT` as ``dated_at``, of those runs of which ``by`` is true."""
    shut = (shutting(subscription) for subscription in (OWN, OF_ALL))
    own, of_all = (Exists(runs if by is None else runs.filter(by)) for runs in shut)
    return own | of_all


def shutting(subscription: Combinable) -> QuerySet[FeedRun]:
    """The run that shuts it, of the market's `OWN` subscription or of `OF_ALL`: asked for each by itself, it is found
    by its key, however many feeds ever began."""
    runs = FeedRun.objects.filter(provider=OuterRef("provider"), subscription=subscription).annotate(
        scope=OWN, by=ExpressionWrapper(OuterRef("run"), FeedRun._meta.get_field("run"))
    )
    own = FeedRun.objects.filter(
        Q(began_logged_at__gt=OuterRef("began_logged_at"))
        | Q(began_logged_at=OuterRef("began_logged_at"), began_offset__gte=OuterRef("began_offset")),
        provider=OuterRef("provider"), subscription=OuterRef("scope"), run=OuterRef("by"),
    )  # fmt: skip
    until = Case(
        When(began_appended_at=None, then=Value(EVER)), default=Least("began_appended_at", "began_taken_at") + _FAST
    )
    is_anothers = Q(by=None) | ~Q(run=F("by"))
    return runs.filter(is_anothers, ~Exists(own), GreaterThanOrEqual(until, OuterRef("dated_at")))


def told_at(appended_at: datetime | None, taken_at: datetime | None) -> tuple[datetime, datetime]:
    """``told_at`` and ``dated_at`` of what the broker took, and we read, at these times; None where nobody knows.

    By Postgres' clock it was told when we read it, at the latest.
    """
    told = min((at for at in (appended_at, taken_at) if at is not None), default=NEVER)
    was_ahead = appended_at is not None and taken_at is not None and lies_ahead(appended_at, taken_at)
    return told, NEVER if appended_at is None or was_ahead else told


def take_over(table: str, connection: Connection, successor: str) -> None:
    """Have a table's successor know when its rows were read, as far as they are of the same messages."""
    name, same = READ_AT[table]
    connection.execute(
        sql.SQL(
            "UPDATE {successor} s SET {taken_at} = t.{taken_at} FROM {table} t"
            " WHERE s.{taken_at} IS NULL AND t.{taken_at} IS NOT NULL AND ({ours}) = ({theirs})"
            " AND s.{appended_at} IS NOT DISTINCT FROM t.{appended_at}"
        ).format(
            successor=sql.Identifier(successor), table=sql.Identifier(table),
            taken_at=sql.Identifier(f"{name}_taken_at"), appended_at=sql.Identifier(f"{name}_appended_at"),
            ours=sql.SQL(", ").join(sql.Identifier("s", column) for column in same),
            theirs=sql.SQL(", ").join(sql.Identifier("t", column) for column in same),
        )
    )  # fmt: skip


def _until(run: FeedRun) -> datetime:
    began, _ = told_at(run.began_appended_at, run.began_taken_at)
    return EVER if run.began_appended_at is None else furthest(began)


def doubts() -> Doubts:
    """In two statements."""
    begun = {
        (run.provider, run.subscription): Run(run.run, (run.began_logged_at, run.began_offset), _until(run))
        for run in FeedRun.objects.all()
    }
    return Doubts(doubted_until(), begun)


def doubted_until(over: Connection | None = None) -> dict[str, datetime]:
    """For each provider that was ever suspended: up to which moment nothing is believed that was told of its markets
    (``told_at``); `EVER` while too many of its messages are bad, or nothing comes of it.

    That a provider is heard again says nothing of a market that was told before: its prices are as old as ever, and
    what was bad may have been about it. Before a silence nothing was missed, so what came since it was noticed counts;
    of bad messages the last may have come just before it was over. Postgres says both, and brokers when it was told, so
    `CLOCK_FAST` is added. It is asked of the transaction of ``over``, else of Django's own.
    """
    missed = Case(
        When(ended_at=None, then=Value(EVER)),
        When(cause=ProviderSuspension.Cause.SILENCE, then=Least("since", "ended_at") + _FAST),
        default=F("ended_at") + _FAST,
    )  # fmt: skip
    found = ProviderSuspension.objects.values_list("provider").annotate(until=Max(missed))
    return dict(found if over is None else over.execute(*found.query.sql_with_params()).fetchall())
