"""The stream's own tables: how far each one is, what could not be stored, what is to be sent."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.fields.json import KT
from django.db.models.functions import Now

from .commit_order import KeyHash
from .indexes import by_source
from .watched import HiddenMetrics as HiddenMetrics  # noqa: PLC0414
from .watched import Stall as Stall  # noqa: PLC0414 - a model of ours
from .watched import WrongClock as WrongClock  # noqa: PLC0414


def _a_place_in_a_log(field: str) -> models.CheckConstraint:
    """Kafka's client has negative numbers for what is no offset; a stream that took one for its place would lose it."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__gte": 0}), name=f"%(class)s_{field}_in_a_log")


class Offset(models.Model):
    """The next offset of a topic partition that a stream has not stored yet; moves in the transaction of the rows.

    ``newest_at`` is when the event happened that is the latest of all stored so far. It never goes back, and dead
    letters do not count; null until there is an event. ``logged`` (milliseconds since 1970) is the time to which the
    log has come, which never goes back either: states of one key are ordered by it. ``ahead`` counts events that
    happened after they were logged, by ``ahead_most`` ms at the most and at ``ahead_at`` for the last time.
    """

    pk = models.CompositePrimaryKey("stream", "topic", "partition")
    stream = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    next = models.BigIntegerField()
    updated_at = models.DateTimeField()
    newest_at = models.DateTimeField(null=True)
    logged = models.BigIntegerField(null=True)
    ahead = models.BigIntegerField(default=0, db_default=0)
    ahead_most = models.BigIntegerField(default=0, db_default=0)
    ahead_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [_a_place_in_a_log("next")]


class Reading(models.Model):
    """The topic that a stream's offsets belong to, by Kafka's own id: one made anew under its name has another.

    ``generation`` counts how often a person has let it go over to one made anew. A compacted topic has ``partitions``;
    ``alert_id`` is that of the open alert that some were added.
    """

    pk = models.CompositePrimaryKey("stream", "topic")
    stream = models.TextField()
    topic = models.TextField()
    topic_id = models.TextField()
    generation = models.SmallIntegerField(default=0)
    begun_at = models.DateTimeField()
    partitions = models.SmallIntegerField(null=True)
    alert_id = models.UUIDField(null=True)


class Event(models.Model):
    """One row for each event of a record type for which its stream has no fact table."""

    pk = models.CompositePrimaryKey("stream", "event_id")
    stream = models.TextField()
    event_id = models.UUIDField()
    record = models.TextField()
    digest = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField()
    source_partition = models.SmallIntegerField()
    source_offset = models.BigIntegerField()

    class Meta:
        indexes = [by_source("events_by_source")]


class Repeat(models.Model):
    """A message whose event is stored already; kept so that every offset is accounted for."""

    pk = models.CompositePrimaryKey("stream", "topic", "partition", "offset")
    stream = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    offset = models.BigIntegerField()
    record = models.TextField()
    seen_at = models.DateTimeField()


class DeadLetter(models.Model):
    """A message that no projection can store, with the reason in words.

    ``standing_logged`` (milliseconds, 0 where the log has no times) and ``standing_offset`` say how old it is: its own
    place, or where it stood at first if it is a dead letter that was sent again. ``standing_appended`` is when the
    broker took it there (0 where nobody knows): how far its log had come may be later. ``alert_id`` is that of a clash.
    """

    class State(models.TextChoices):
        OPEN = "open"
        REPLAYED = "replayed"
        DISCARDED = "discarded"

    stream = models.TextField()
    topic = models.TextField()
    generation = models.SmallIntegerField(default=0, db_default=0)
    partition = models.SmallIntegerField()
    offset = models.BigIntegerField()
    record = models.TextField(blank=True)
    schema_id = models.BigIntegerField(null=True)
    reason = models.TextField()
    key = models.BinaryField(null=True)
    value = models.BinaryField(null=True)
    logged = models.BigIntegerField(default=0, db_default=0)
    standing_appended = models.BigIntegerField(default=0, db_default=0)
    standing_logged = models.BigIntegerField(default=0, db_default=0)
    standing_offset = models.BigIntegerField()
    died_at = models.DateTimeField()
    state = models.TextField(choices=State, default=State.OPEN)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.TextField(blank=True, db_default="")
    note = models.TextField(blank=True, db_default="")
    alert_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "topic", "generation", "partition", "offset"], name="one_dead_letter"
            )
        ]
        # With what they are counted by, so that nobody has to fetch the letters for it.
        indexes = [
            models.Index(
                fields=["id"], include=["stream", "topic"], condition=models.Q(state="open"), name="open_dead_letters"
            ),
            models.Index(fields=["alert_id"], condition=models.Q(alert_id__isnull=False), name="told_dead_letters"),
        ]

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}: {self.reason}"


class Tombstone(models.Model):
    """What a key of a compacted topic named was deleted, by a message that stands there in the log: the latest of them.

    Whatever stands before it makes no row, also where it is read later: sent again, or from another partition.
    """

    pk = models.CompositePrimaryKey("stream", "topic", "key")
    stream = models.TextField()
    topic = models.TextField()
    key = models.TextField()
    logged_at = models.DateTimeField()
    offset = models.BigIntegerField()
    told_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["told_at"], name="tombstones_by_age")]


class TombstoneRetention(models.Model):
    """How long tombstones are kept, from a moment on; followed by others, never changed.

    Dead letters of a compacted topic can be sent again for ``replayable_for`` after they were first logged; Kafka shows
    tombstones for ``shown_for`` (its delete.retention.ms). What was deleted is known for both together.
    """

    valid_from = models.DateTimeField(unique=True)
    replayable_for = models.DurationField()
    shown_for = models.DurationField()

    class Meta:
        db_table = "streams_tombstone_retention"

    def __str__(self) -> str:
        return f"{self.replayable_for.days} days from {self.valid_from:%Y-%m-%d %H:%M}"


class Halt(models.Model):
    """A partition that a stream stopped storing, until its cause is gone and a person lets it go on."""

    class Cause(models.TextChoices):
        BAD_MESSAGES = "bad messages"
        LOST_LOG = "lost log"
        OTHER_TOPIC = "other topic"
        GONE_TOPIC = "gone topic"
        CORRUPT_LOG = "corrupt log"
        UNSTORABLE = "unstorable"

    stream = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    offset = models.BigIntegerField()
    cause = models.TextField(choices=Cause, default=Cause.BAD_MESSAGES, db_default=Cause.BAD_MESSAGES)
    reason = models.TextField()
    alert_id = models.UUIDField(null=True)
    halted_at = models.DateTimeField()
    resumed_at = models.DateTimeField(null=True)
    resumed_by = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "topic", "partition"], condition=models.Q(resumed_at=None), name="one_open_halt"
            ),
            _a_place_in_a_log("offset"),
        ]

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] halted at {self.offset}: {self.reason}"


class KnownSchema(models.Model):
    """What a schema registry said of an id: read while it is away, and held against what it says later.

    ``registry`` is its address; ``subjects`` are those under which we registered the schema there.
    """

    registry = models.TextField()
    schema_id = models.IntegerField()
    schema = models.TextField()
    subjects = ArrayField(models.TextField(), default=list)
    known_at = models.DateTimeField()

    class Meta:
        db_table = "streams_known_schema"
        constraints = [models.UniqueConstraint(fields=["registry", "schema_id"], name="one_schema_for_each_id")]

    def __str__(self) -> str:
        return f"{self.schema_id} at {self.registry}"


class Gap(models.Model):
    """Offsets [start, end) that a stream has not stored and never will, because a person accepted that.

    ``end`` is null where the topic was deleted and made anew: all that its former self held from ``start`` on. It is
    ``start`` where the log was cut off, and nothing is missing: up to ``stored_until`` other messages come at offsets
    at which something is stored. ``followed`` once the stream's sink has gone there.
    """

    stream = models.TextField()
    topic = models.TextField()
    generation = models.SmallIntegerField()
    partition = models.SmallIntegerField()
    start = models.BigIntegerField()
    end = models.BigIntegerField(null=True)
    stored_until = models.BigIntegerField(null=True)
    followed = models.BooleanField(default=True, db_default=True)
    reason = models.TextField()
    accepted_at = models.DateTimeField()
    accepted_by = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["topic", "partition", "start"], name="gaps_by_place")]

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] {self.start} to {self.end or 'its end'}: {self.reason}"


class Acceptance(models.Model):
    """Up to where in a partition a person takes bad messages as dead letters, however many they are."""

    stream = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    until = models.BigIntegerField()
    accepted_at = models.DateTimeField()
    accepted_by = models.TextField()
    reason = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["stream", "topic", "partition", "until"], name="acceptances_by_place")]

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] up to {self.until}: {self.reason}"


class Diversion(models.Model):
    """A partition with too many bad messages, which go to the dead letters while the rest goes on.

    ``sources`` are who sent them, as far as that can be told; what is theirs is suspended until the diversion ends.
    """

    stream = models.TextField()
    topic = models.TextField()
    partition = models.SmallIntegerField()
    offset = models.BigIntegerField()
    reason = models.TextField()
    sources = ArrayField(models.TextField(), default=list)
    alert_id = models.UUIDField()
    begun_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_by = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "topic", "partition"], condition=models.Q(ended_at=None), name="one_open_diversion"
            )
        ]

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] diverts since {self.offset}: {self.reason}"


class ClockedJob(models.Model):
    """When a job last did its work, when it had begun that, since when it is waited for, and the ids of the open alerts
    about what it could not do and about its being overdue.
    """

    name = models.TextField(primary_key=True)
    known_since = models.DateTimeField()
    began_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    alert_id = models.UUIDField(null=True)
    overdue_alert_id = models.UUIDField(null=True)

    class Meta:
        db_table = "streams_clocked_job"

    def __str__(self) -> str:
        return f"{self.name}, last done {self.succeeded_at or 'never'}"


class Outgoing(models.Model):
    """A message to Kafka, written in the transaction of the change that it tells of; the relay sends it.

    ``value`` is an Avro body of ``record`` in its released version ``schema_version``, or, with no record, the bytes as
    they are.

    Messages of one ``key_hash`` leave in the order of (``position``, ``id``). The database sets the position while the
    transaction commits, so that this is the order of commits, whenever each of the messages was written. One that
    cannot be sent is held, and with it those behind it: ``held_since`` is set in all of them, ``attempts``,
    ``next_attempt_at`` and ``last_error`` in the first. It ends sent, or discarded by a person. ``alert_id`` is that of
    the open alert that tells of it. One that ``holds_topic`` fails by its topic: all the others wait behind it. In one
    that has ended ``next_attempt_at`` and ``holds_topic`` say that what waited behind it is still to go on.
    """

    id = models.BigAutoField(primary_key=True)
    topic = models.TextField()
    key = models.BinaryField(null=True)
    value = models.BinaryField(null=True)
    record = models.TextField(blank=True, db_default="")
    schema_version = models.SmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    key_hash = models.GeneratedField(expression=KeyHash(), output_field=models.BigIntegerField(), db_persist=True)
    position = models.BigIntegerField(null=True, editable=False)
    sent_at = models.DateTimeField(null=True)
    held_since = models.DateTimeField(null=True)
    attempts = models.IntegerField(db_default=0)
    next_attempt_at = models.DateTimeField(null=True)
    holds_topic = models.BooleanField(db_default=False)
    last_error = models.TextField(blank=True, db_default="")
    alert_id = models.UUIDField(null=True)
    discarded_at = models.DateTimeField(null=True)
    discarded_by = models.TextField(blank=True, db_default="")
    discard_reason = models.TextField(blank=True, db_default="")

    class Meta:
        db_table = "streams_outbox"
        indexes = [
            # Those of transactions that still run, for the trigger that draws the position.
            models.Index(fields=["id"], condition=models.Q(position=None), name="outgoing_uncommitted"),
            models.Index(
                fields=["position", "id"],
                condition=models.Q(sent_at=None, held_since=None, position__isnull=False),
                name="outgoing_ready",
            ),
            models.Index(
                fields=["key_hash", "position", "id"],
                condition=models.Q(sent_at=None, discarded_at=None, held_since__isnull=False),
                name="outgoing_held",
            ),
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(next_attempt_at__isnull=False), name="outgoing_due"
            ),
            models.Index(fields=["topic"], condition=models.Q(holds_topic=True), name="outgoing_holds_topic"),
            models.Index(fields=["alert_id"], condition=models.Q(alert_id__isnull=False), name="outgoing_alerted"),
            # Alerts that are on their way to nobody, for those who ask after the platform's health.
            models.Index(
                fields=["id"],
                condition=models.Q(record="ComplianceAlert", sent_at=None, discarded_at=None),
                name="outgoing_alerts",
            ),
            # By these reconciliation finds what sends a dead letter again, and what tells of one (it has no record).
            models.Index(
                KT("headers__replay_of"), condition=models.Q(headers__has_key="replay_of"), name="outgoing_replays"
            ),
            models.Index(
                *("topic", KT("headers__partition"), KT("headers__offset")),
                condition=models.Q(record=""),
                name="outgoing_dead_letters",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.record or 'bytes'} to {self.topic}"
