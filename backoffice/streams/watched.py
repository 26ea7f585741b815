"""What the watch over the lanes has seen: lanes that stand still, clocks that are wrong, metrics that nobody sees."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Stall(models.Model):
    """A lane that had work and did none for longer than it may, with what it was seen to wait for."""

    stream = models.TextField()
    topic = models.TextField()
    partitions = ArrayField(models.SmallIntegerField())
    told = models.TextField()
    alert_id = models.UUIDField()
    noticed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "topic"], condition=models.Q(ended_at=None), name="one_open_stall"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stream}: {self.topic} stands still: {self.told}"


class WrongClock(models.Model):
    """A machine whose clock a worker of its has seen to be ahead or behind, with what was told of it.

    ``seen_at`` is when the last worker there saw it, by Postgres' clock.
    """

    host = models.TextField()
    told = models.TextField()
    alert_id = models.UUIDField()
    noticed_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "streams_wrong_clock"
        constraints = [
            models.UniqueConstraint(fields=["host"], condition=models.Q(ended_at=None), name="one_open_wrong_clock")
        ]

    def __str__(self) -> str:
        return self.told


class HiddenMetrics(models.Model):
    """A worker that stores although others do not see its metrics, and what is in the way.

    ``seen_at`` is when it last said so, by Postgres' clock; it says so every few seconds for as long as that is true.
    """

    host = models.TextField()
    pid = models.IntegerField()
    told = models.TextField()
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "streams_hidden_metrics"
        constraints = [models.UniqueConstraint(fields=["host", "pid"], name="one_word_of_a_process")]

    def __str__(self) -> str:
        return f"worker {self.pid} at {self.host}: {self.told}"
