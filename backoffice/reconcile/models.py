"""How far reconciliation is, what it expects of the sums kept in Postgres, and what it found."""

from django.db import models


class Checked(models.Model):
    """The next offset to check of a topic partition that a stream stores.

    ``since`` is the first offset ever checked. Above 0 the log had lost its beginning by then, and the tallies of the
    partition are no more than a lower bound.
    """

    pk = models.CompositePrimaryKey("stream", "topic", "partition")
    stream = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    since = models.BigIntegerField()
    next = models.BigIntegerField()
    checked_at = models.DateTimeField()


class WindowTally(models.Model):
    """What Kafka says so far of a row of the window table, up to the offsets checked."""

    pk = models.CompositePrimaryKey("metric", "minute", "key", "currency", "topic", "partition")
    metric = models.TextField()
    minute = models.DateTimeField()
    key = models.TextField()
    currency = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    count = models.BigIntegerField()
    amount = models.BigIntegerField()
    # Added to while there was more to add, and so not yet held against the table.
    is_open = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            # A random older slice is a stretch of time.
            models.Index(fields=["minute"], name="window_tallies_by_minute"),
            models.Index(fields=["topic", "partition"], condition=models.Q(is_open=True), name="open_window_tallies"),
        ]


class BalanceTally(models.Model):
    """What Kafka says so far of a row of the balance table, up to the offsets checked."""

    pk = models.CompositePrimaryKey("account_id", "partition")
    account_id = models.UUIDField()
    partition = models.SmallIntegerField()
    debits = models.BigIntegerField()
    credits = models.BigIntegerField()
    is_open = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [models.Index(fields=["partition"], condition=models.Q(is_open=True), name="open_balance_tallies")]


class Run(models.Model):
    """One reconciliation: what it compared, and where Kafka and Postgres differed."""

    started_at = models.DateTimeField(db_index=True)
    finished_at = models.DateTimeField()
    full = models.BooleanField()
    seed = models.BigIntegerField()
    is_clean = models.BooleanField()
    checked = models.JSONField()
    total = models.BigIntegerField()
    differences = models.JSONField()

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S} {'clean' if self.is_clean else f'{self.total} differences'}"


class Finding(models.Model):
    """A difference that was told once; however often a run meets it again, there is one alert."""

    id = models.UUIDField(primary_key=True)
    difference = models.JSONField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.difference.get("says", self.id))
