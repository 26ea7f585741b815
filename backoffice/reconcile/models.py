"""How far reconciliation is, what it expects of the tables kept in Postgres, and what it found.

What it expects stands in books of its own: the standing ones, which the runs by the clock carry on, and those of a run
over everything, which begins from nothing and may be broken off and gone on with.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from .kinds import Weight


class CheckedPlace(models.Model):
    """The next offset to check of a topic partition that a stream stores.

    ``logged`` is the time (milliseconds) to which the log has come before it. ``since`` is the first offset ever
    checked. Above 0 the log had lost its beginning by then, or was cut off before all was read that it has lost so: the
    sums of the partition, and the time to which its log had come, are no more than a lower bound. What is checked is
    read again, round after round: ``again`` is the next offset of this round.
    """

    pk = models.CompositePrimaryKey("stream", "topic", "partition")
    stream = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    since = models.BigIntegerField()
    next = models.BigIntegerField()
    logged = models.BigIntegerField(default=0, db_default=0)
    checked_at = models.DateTimeField()
    again = models.BigIntegerField(default=0, db_default=0)
    rounds = models.IntegerField(default=0, db_default=0)
    round_began_at = models.DateTimeField(null=True)
    # Of the topic: offsets of one that was made anew have nothing to do with those of the former.
    generation = models.SmallIntegerField(default=0, db_default=0)
    # How often its log had been cut off: behind that the same offsets come again.
    cuts = models.SmallIntegerField(default=0, db_default=0)

    class Meta:
        abstract = True


class HighWater(models.Model):
    """From ``offset`` on a log takes messages at times before the one to which it had come: a broker's clock was ahead.

    ``reached`` is that time (milliseconds). It counts as the time of what follows, until the log comes there again.
    """

    pk = models.CompositePrimaryKey("stream", "topic", "partition", "generation", "offset")
    stream = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    generation = models.SmallIntegerField()
    offset = models.BigIntegerField()
    reached = models.BigIntegerField()


class WindowSums(models.Model):
    """What Kafka says so far that a stream adds to a row of the window table, up to the offsets checked."""

    pk = models.CompositePrimaryKey("metric", "minute", "key", "currency", "topic", "partition", "stream")
    metric = models.TextField()
    minute = models.DateTimeField()
    key = models.TextField()
    currency = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    stream = models.TextField()
    count = models.BigIntegerField()
    amount = models.BigIntegerField()
    # Added to while there was more to add, and so not yet held against the table.
    is_open = models.BooleanField(default=False, db_default=False)

    class Meta:
        abstract = True
        indexes = [
            models.Index(fields=["topic", "partition"], condition=models.Q(is_open=True), name="open_%(class)s"),
        ]


class BalanceSums(models.Model):
    """What Kafka says so far of an account in a book, out of one partition, up to the offsets checked."""

    pk = models.CompositePrimaryKey("book", "account_id", "partition")
    book = models.TextField()
    account_id = models.UUIDField()
    partition = models.SmallIntegerField()
    debits = models.BigIntegerField()
    credits = models.BigIntegerField()
    is_open = models.BooleanField(default=False, db_default=False)

    class Meta:
        abstract = True
        indexes = [
            models.Index(fields=["book", "partition"], condition=models.Q(is_open=True), name="open_%(class)s"),
        ]


class NewestVersion(models.Model):
    """Which version of a row of state is the newest that Kafka has told, up to the offsets checked.

    ``key`` is the first column of the row's key, by which tombstones delete, and ``rest`` are the others, as texts: of
    which letters they are is the producers' business. ``version`` are the columns by which the newest is told, times in
    microseconds.
    """

    pk = models.CompositePrimaryKey("state", "key", "rest")
    state = models.TextField()
    key = models.TextField(db_collation="C")
    rest = ArrayField(models.TextField())
    version = models.JSONField()

    class Meta:
        abstract = True


class WalkedTable(models.Model):
    """How far a walk along the key of a table is in its round; ``after`` is the key of the last row looked at.

    One that was never gone counts from when it was first known.
    """

    name = models.TextField(primary_key=True)
    after = models.JSONField(null=True)
    rounds = models.IntegerField(default=0, db_default=0)
    round_began_at = models.DateTimeField()
    went_on_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True


class Checked(CheckedPlace):
    pass


class WindowTally(WindowSums):
    pass


class BalanceTally(BalanceSums):
    pass


class StateTally(NewestVersion):
    pass


class Walk(WalkedTable):
    pass


class FullChecked(CheckedPlace):
    pass


class FullWindowTally(WindowSums):
    pass


class FullBalanceTally(BalanceSums):
    pass


class FullStateTally(NewestVersion):
    pass


class FullWalk(WalkedTable):
    pass


class Run(models.Model):
    """One reconciliation: what it compared, and where Kafka and Postgres differed.

    ``named`` are findings that are no differences of the two; ``counts`` says of each kind how many were found and how
    many of them are listed. ``finished_at`` is null while the run goes on, or where it was broken off.
    """

    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField(null=True)
    full = models.BooleanField()
    is_clean = models.BooleanField()
    checked = models.JSONField()
    total = models.BigIntegerField()
    differences = models.JSONField()
    named = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    counts = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S} {'clean' if self.is_clean else f'{self.total} differences'}"

    @property
    def is_counted(self) -> bool:
        """Whether ``counts`` say all that was found: they do not of a run that an older edition began."""
        kinds = ("weight", "stream", "topic", "check")
        known = {tuple(counted[name] for name in kinds) for counted in self.counts}
        total = sum(counted["found"] for counted in self.counts if counted["weight"] == Weight.DIFFERENCE)
        told = (*self.differences, *self.named)
        return total == self.total and all(tuple(one.get(name, "") for name in kinds) in known for one in told)


class Finding(models.Model):
    """A finding: one, however often a run meets it again before it ends.

    It ends when a run looks where it was and does not find it, or a person accepts it (``accepted_by``, with the
    reason). All of a kind that stand open have one alert; found once more, it has another one. ``rounds`` are how many
    rounds through history each partition and table had behind it when it was last found, or could not be judged;
    ``agreed_at`` is when a message was read since then that says just what the row has.
    """

    id = models.UUIDField(primary_key=True)
    difference = models.JSONField()
    alert_id = models.UUIDField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    rounds = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    agreed_at = models.DateTimeField(null=True)
    accepted_by = models.TextField(default="", db_default="")
    accepted_why = models.TextField(default="", db_default="")

    class Meta:
        indexes = [models.Index(fields=["first_seen_at"], condition=models.Q(ended_at=None), name="open_findings")]

    def __str__(self) -> str:
        return str(self.difference.get("says", self.id))


class Rest(models.Model):
    """Where more of a kind was found than are noted, about ``number`` of them; looked at again until none is left.

    ``place`` is a walk along a table, which has to be gone through once more since it had ``rounds`` behind it, or a
    partition (as its rounds are counted), of which offsets ["first", "last") are read again. ``left`` is what could not
    be judged then: things, each with the rounds that the walk had behind it, or the ``first`` and ``last`` offset.
    ``apart`` are things that could not be judged since this was found, which so are not of it; with the rounds.
    """

    pk = models.CompositePrimaryKey("weight", "stream", "topic", "fault", "place")
    weight = models.TextField()
    stream = models.TextField()
    topic = models.TextField()
    # The check that finds them.
    fault = models.TextField()
    place = models.TextField()
    first = models.BigIntegerField(null=True)
    last = models.BigIntegerField(null=True)
    rounds = models.IntegerField(null=True)
    left = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    apart = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    number = models.BigIntegerField()
    alert_id = models.UUIDField(null=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    def __str__(self) -> str:
        number = f"about {self.number:,}" if self.number else "maybe some"
        return f"{number} more found by {self.fault} in {self.place}"
