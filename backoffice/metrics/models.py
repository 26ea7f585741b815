"""Rolling numbers, kept with the rows they count."""

from django.db import models


class Window(models.Model):
    """Count and sum of one metric in one minute, for one key and currency, out of one partition of its topic.

    A metric that ends in ``_hour`` or ``_day`` has the sums of the hour or day (UTC) that begins with the minute. After
    some weeks all metrics have only these (`rollup.py`).

    Keyed with the partition, so that no two workers ever wait for one row; readers sum over partitions. ``amount`` is
    in minor units of ``currency`` (empty where nothing is summed).
    """

    pk = models.CompositePrimaryKey("metric", "minute", "key", "currency", "topic", "partition")
    metric = models.TextField()
    minute = models.DateTimeField()
    key = models.TextField()
    currency = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    count = models.BigIntegerField()
    amount = models.BigIntegerField()


class Rolled(models.Model):
    """One row: the moment before which minutes have become hours and days."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    before = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="rolled_up_to_one_moment")]

    def __str__(self) -> str:
        return f"{self.before:%Y-%m-%d}"


class Activity(models.Model):
    """The last minute in which a player was seen to do something, for each topic that can tell.

    No finer than a minute: a player who is busy would else have the row written anew with every batch.
    """

    pk = models.CompositePrimaryKey("player_id", "topic")
    player_id = models.UUIDField()
    topic = models.TextField()
    brand = models.TextField()
    jurisdiction = models.TextField()
    minute = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["minute", "jurisdiction", "player_id"], name="recent_activity")]
