"""What is bet on, the bets, and how they were settled. Written by projections only; amounts are minor units.

Only the feeds' limits are set by people, and only suspensions of providers by the platform.
"""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, QuerySet

from backoffice.streams.indexes import by_source, by_time
from backoffice.streams.tables.immutable import IMMUTABLE


class SportEvent(models.Model):
    """A match or race, as its feed last described it."""

    id = models.TextField(primary_key=True)
    provider = models.TextField()
    sport = models.TextField()
    competition = models.TextField()
    name = models.TextField()
    starts_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    seen_logged_at = models.DateTimeField()
    seen_offset = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["starts_at"], name="sport_events_by_start")]

    def __str__(self) -> str:
        return self.name


class Market(models.Model):
    """A market in its newest version. Traded volume in minor units of the currency.

    ``version_appended_at`` is when the broker took that itself (null: the log does not tell), ``version_taken_at`` when
    we read it: see `doubts.TOLD_AT`. ``subscription`` is which feed of the provider tells it, where several do, and
    ``run`` is the run of that (`FeedRun`) which told this version, where its runs say that they begin.
    """

    id = models.TextField(primary_key=True)
    sport_event_id = models.TextField(db_index=True)
    provider = models.TextField()
    type = models.TextField()
    name = models.TextField()
    line = models.TextField(null=True)
    status = models.TextField()
    is_in_play = models.BooleanField()
    bet_delay = models.IntegerField()
    winners = models.IntegerField()
    currency = models.TextField()
    traded_volume = models.BigIntegerField(null=True)
    version = models.BigIntegerField()
    version_at = models.DateTimeField()
    version_logged_at = models.DateTimeField()
    version_offset = models.BigIntegerField()
    version_appended_at = models.DateTimeField(null=True)
    version_taken_at = models.DateTimeField(null=True)
    subscription = models.TextField(null=True)
    run = models.UUIDField(null=True)

    class Meta:
        # Of a column that an update leaves alone: with version_at in it, each of thousands of updates a second would
        # write the index too.
        indexes = [
            models.Index(
                fields=["sport_event_id"], condition=models.Q(status__in=["open", "suspended"]), name="live_markets"
            ),
            models.Index(fields=["run"], condition=models.Q(run__isnull=False), name="markets_by_run"),
        ]

    def __str__(self) -> str:
        return self.name


class FeedRun(models.Model):
    """The newest run of a feed, by the order of the log; what it tells of its markets bears its id, ``run``.

    It is of all markets of the provider where ``subscription`` is empty, else of those told under that name.
    """

    pk = models.CompositePrimaryKey("provider", "subscription")
    provider = models.TextField()
    subscription = models.TextField()
    run = models.UUIDField()
    began_at = models.DateTimeField()
    began_logged_at = models.DateTimeField()
    began_offset = models.BigIntegerField()
    began_appended_at = models.DateTimeField(null=True)
    began_taken_at = models.DateTimeField(null=True)


class FeedLimit(models.Model):
    """For how long a feed and its markets may say nothing, from a moment on.

    Never changed, only followed by another with a later ``valid_from``, so that one can say what was an alarm when.
    ``provider`` is empty for all that have no limits of their own. A market is watched while it is open and in play, or
    ``soon`` before its start; one that was not heard of for ``given_up_after`` was left open by a feed that has ended.
    """

    provider = models.TextField(blank=True)
    valid_from = models.DateTimeField()
    any_market = models.DurationField()
    in_play = models.DurationField()
    before_start = models.DurationField()
    soon = models.DurationField()
    given_up_after = models.DurationField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "valid_from"], name="one_feed_limit_at_a_time")]

    def __str__(self) -> str:
        return f"{self.provider or 'any provider'} from {self.valid_from:%Y-%m-%d %H:%M}"


class OfferRetention(models.Model):
    """How long offers and their prices are kept once closed, from a moment on; followed by others, never changed."""

    valid_from = models.DateTimeField(unique=True)
    closed_for = models.DurationField()

    def __str__(self) -> str:
        return f"{self.closed_for.days} days from {self.valid_from:%Y-%m-%d %H:%M}"


class ProviderSuspension(models.Model):
    """A provider whose markets are shown as suspended, for one cause or several; each is open until it ends, and kept:
    markets that were not told since then stay suspended.

    Beside the markets, which are as their feed last told them and can be made anew from its log at any time. An alert
    of its own tells of silence; bad messages are told of by whoever diverts them.
    """

    class Cause(models.TextChoices):
        BAD_MESSAGES = "bad messages"
        SILENCE = "silence"

    provider = models.TextField()
    cause = models.TextField(choices=Cause, default=Cause.BAD_MESSAGES, db_default=Cause.BAD_MESSAGES)
    alert_id = models.UUIDField(null=True)
    reason = models.TextField()
    since = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "cause"], condition=models.Q(ended_at=None), name="one_open_provider_suspension"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} since {self.since:%Y-%m-%d %H:%M}"


# What tells two updates of a market apart: rows of one update have all of it in common.
_SAME_UPDATE = {name: OuterRef(name) for name in ("version", "version_logged_at", "version_offset")}


class OutcomesNow(models.Manager["Outcome"]):
    """Outcomes that the newest update of their market names. What it leaves out is no part of the market any more."""

    def get_queryset(self) -> QuerySet["Outcome"]:
        newest = Market.objects.filter(id=OuterRef("market_id"), **_SAME_UPDATE)
        return super().get_queryset().filter(Exists(newest))


class StatusChange(models.Model):
    """That a market took another status: every one, in the order of ``id``, also where several came in one batch.

    The projection adds the ends of each market's runs of equal status in a batch; the trigger passes over those that
    say nothing new, by the market as it was before the batch (the projection of markets comes later in the
    transaction). What is stored after a newer update of its market ``is_late``: a status that the market had, where
    the change before it in the order of updates is to another one. The others, in that order, lead to the status that
    the market has. Kept for `KEEP_STATUS_CHANGES_DAYS` of the settings. Rows that are older than the columns
    ``source_…`` do not tell where they come from.
    """

    market_id = models.TextField()
    sport_event_id = models.TextField()
    version = models.BigIntegerField()
    version_at = models.DateTimeField()
    version_logged_at = models.DateTimeField()
    version_offset = models.BigIntegerField()
    status = models.TextField()
    source_generation = models.SmallIntegerField(null=True)
    source_partition = models.SmallIntegerField(null=True)
    source_offset = models.BigIntegerField(null=True)
    is_late = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["market_id", "version", "version_logged_at", "version_offset"], name="one_status_of_an_update"
            )
        ]
        indexes = [
            models.Index(fields=["sport_event_id", "id"], name="status_changes_of_event"),
            by_source("status_changes_by_source"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="changes_only", when=pgtrigger.Before, operation=pgtrigger.Insert,
                declare=[("market", "record"), ("latest", "record")],
                func="""
                    SELECT version, version_logged_at, version_offset, status INTO market
                    FROM trading_market WHERE id = NEW.market_id;
                    IF (market.version, market.version_logged_at, market.version_offset)
                        = (NEW.version, NEW.version_logged_at, NEW.version_offset) THEN RETURN NULL; END IF;
                    NEW.is_late := coalesce((market.version, market.version_logged_at, market.version_offset)
                        > (NEW.version, NEW.version_logged_at, NEW.version_offset), false);
                    SELECT version, version_logged_at, version_offset, status INTO latest
                    FROM trading_statuschange WHERE market_id = NEW.market_id
                    AND (version, version_logged_at, version_offset)
                        < (NEW.version, NEW.version_logged_at, NEW.version_offset)
                    ORDER BY version DESC, version_logged_at DESC, version_offset DESC LIMIT 1;
                    IF NEW.is_late OR market.version IS NULL
                        OR (latest.version, latest.version_logged_at, latest.version_offset)
                        > (market.version, market.version_logged_at, market.version_offset)
                        THEN market := latest; END IF;
                    IF market.status = NEW.status THEN RETURN NULL; END IF;
                    RETURN NEW;
                """,
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.market_id} {self.status}"


class Outcome(models.Model):
    """An outcome as the feed last priced it. Odds in thousandths, sizes in minor units of the market's currency.

    Rows are merged by key while they are stored, and none is looked for that a newer update leaves out, so the table
    has outcomes that are gone. Readers do not see them, before and after a rebuild, unless they ask ``with_gone`` for
    the name of something that was bet on.
    """

    objects = OutcomesNow()
    with_gone: models.Manager["Outcome"] = models.Manager()

    pk = models.CompositePrimaryKey("market_id", "outcome_id")
    market_id = models.TextField()
    outcome_id = models.TextField()
    name = models.TextField()
    status = models.TextField()
    back_odds = models.BigIntegerField(null=True)
    back_size = models.BigIntegerField(null=True)
    lay_odds = models.BigIntegerField(null=True)
    lay_size = models.BigIntegerField(null=True)
    last_odds = models.BigIntegerField(null=True)
    version = models.BigIntegerField()
    version_at = models.DateTimeField()
    version_logged_at = models.DateTimeField()
    version_offset = models.BigIntegerField()


class Offer(models.Model):
    """What the operator offers on a market: status and margin (parts per million) of its newest prices."""

    market_id = models.TextField(primary_key=True)
    sport_event_id = models.TextField(db_index=True)
    status = models.TextField()
    is_in_play = models.BooleanField()
    margin_ppm = models.BigIntegerField()
    method = models.TextField()
    version = models.BigIntegerField()
    version_at = models.DateTimeField()
    version_logged_at = models.DateTimeField()
    version_offset = models.BigIntegerField()

    def __str__(self) -> str:
        return self.market_id


class PricesNow(models.Manager["Price"]):
    """Prices that stand in the newest offer on their market, and so are of one version with it."""

    def get_queryset(self) -> QuerySet["Price"]:
        newest = Offer.objects.filter(market_id=OuterRef("market_id"), **_SAME_UPDATE)
        return super().get_queryset().filter(Exists(newest))


class Price(models.Model):
    """The operator's own price of an outcome: odds in thousandths, fair probability in parts per million.

    As with outcomes, the table has prices that newer offers leave out; readers do not see them.
    """

    objects = PricesNow()
    with_gone: models.Manager["Price"] = models.Manager()

    pk = models.CompositePrimaryKey("market_id", "outcome_id")
    market_id = models.TextField()
    outcome_id = models.TextField()
    odds = models.BigIntegerField()
    probability_ppm = models.BigIntegerField()
    version = models.BigIntegerField()
    version_at = models.DateTimeField()
    version_logged_at = models.DateTimeField()
    version_offset = models.BigIntegerField()


class Bet(models.Model):
    """A bet as it was placed. What became of it are its settlements; one without any is open.

    ``source_generation`` tells of which topic its offset is, where that was made anew under its name. Bets that are
    older than this column have 0, whichever it was.
    """

    id = models.UUIDField(primary_key=True)
    event_id = models.UUIDField()
    player_id = models.UUIDField()
    brand = models.TextField()
    jurisdiction = models.TextField()
    currency = models.TextField()
    stake = models.BigIntegerField()
    potential_payout = models.BigIntegerField()
    kind = models.TextField()
    system_size = models.IntegerField()
    channel = models.TextField()
    is_in_play = models.BooleanField()
    is_free_bet = models.BooleanField()
    bonus_id = models.UUIDField(null=True)
    occurred_at = models.DateTimeField()
    source_generation = models.SmallIntegerField(default=0, db_default=0)
    source_partition = models.SmallIntegerField()
    source_offset = models.BigIntegerField()
    digest = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["player_id", "occurred_at"], name="bets_of_player"),
            by_source("bets_by_source"), by_time("bets_by_time"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return str(self.id)


class Leg(models.Model):
    """One selection of a bet at the odds (thousandths) it was taken at."""

    pk = models.CompositePrimaryKey("bet_id", "leg_no")
    bet_id = models.UUIDField()
    leg_no = models.IntegerField()
    sport = models.TextField()
    sport_event_id = models.TextField()
    market_id = models.TextField()
    outcome_id = models.TextField()
    odds = models.BigIntegerField()
    is_in_play = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["market_id", "outcome_id"], name="legs_of_market")]


class Settlement(models.Model):
    """One step in the history of a bet: settled, voided, cashed out or settled anew; the highest number counts.

    ``payout`` is what the player has got by then in all. Leg arrays are in the order of ``leg_no``; factors in
    thousandths. In a dead heat ``dead_heat_places`` are shared by ``dead_heat_tied``, and their quotient is what
    counts; both are null where no leg ended in one, or where its producer tells only the factor.
    """

    event_id = models.UUIDField(primary_key=True)
    bet_id = models.UUIDField()
    record = models.TextField()
    settlement_no = models.IntegerField()
    player_id = models.UUIDField()
    brand = models.TextField()
    jurisdiction = models.TextField()
    currency = models.TextField()
    stake = models.BigIntegerField()
    payout = models.BigIntegerField()
    previous_payout = models.BigIntegerField()
    reason = models.TextField(null=True)
    legs = ArrayField(models.BigIntegerField(), null=True)
    results = ArrayField(models.TextField(), null=True)
    void_factors = ArrayField(models.BigIntegerField(), null=True)
    dead_heat_factors = ArrayField(models.BigIntegerField(), null=True)
    dead_heat_places = ArrayField(models.BigIntegerField(null=True), null=True)
    dead_heat_tied = ArrayField(models.BigIntegerField(null=True), null=True)
    occurred_at = models.DateTimeField()
    source_partition = models.SmallIntegerField()
    source_offset = models.BigIntegerField()
    digest = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["bet_id", "settlement_no"], name="settlements_of_bet"),
            by_source("settlements_by_source"), by_time("settlements_by_time"),
        ]  # fmt: skip
        triggers = IMMUTABLE

    def __str__(self) -> str:
        return f"{self.record} {self.bet_id}"
