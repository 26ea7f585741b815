"""Players and what is known of them. Written by projections only; rows follow from the events in Kafka.

A group of columns that one kind of event sets carries when it happened and where it stands in the log (``status_at``,
``status_logged_at``, ``status_offset``): the later in the log wins, in whatever batches they come. What several kinds
of events tell of a thing is such a group as well (``whose_…``). It may be null only while a transaction writes the
groups of a new row, one after the other.
"""

from django.db import models

from backoffice.streams.indexes import by_source, by_time


class Player(models.Model):
    """A player under a pseudonymous id. Personal fields stand here and nowhere else."""

    id = models.UUIDField(primary_key=True)
    brand = models.TextField(null=True)
    jurisdiction = models.TextField(null=True)
    whose_at = models.DateTimeField(null=True)
    whose_logged_at = models.DateTimeField(null=True)
    whose_offset = models.BigIntegerField(null=True)
    country = models.TextField(null=True)
    currency = models.TextField(null=True)
    birth_year_band = models.TextField(null=True)
    channel = models.TextField(null=True)
    language = models.TextField(null=True)
    affiliate = models.TextField(null=True)
    marketing_consent = models.BooleanField(null=True)
    email = models.TextField(null=True)
    phone = models.TextField(null=True)
    first_name = models.TextField(null=True)
    last_name = models.TextField(null=True)
    birth_date = models.DateField(null=True)
    street = models.TextField(null=True)
    city = models.TextField(null=True)
    postcode = models.TextField(null=True)
    registered_at = models.DateTimeField(null=True)
    registered_logged_at = models.DateTimeField(null=True)
    registered_offset = models.BigIntegerField(null=True)
    status = models.TextField(null=True)
    status_reason = models.TextField(null=True)
    status_at = models.DateTimeField(null=True)
    status_logged_at = models.DateTimeField(null=True)
    status_offset = models.BigIntegerField(null=True)
    verification = models.TextField(null=True)
    verification_at = models.DateTimeField(null=True)
    verification_logged_at = models.DateTimeField(null=True)
    verification_offset = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["registered_at", "id"], name="players_by_registration")]

    def __str__(self) -> str:
        return str(self.id)


class Fact(models.Model):
    """One row for each event, with where it came from."""

    event_id = models.UUIDField(primary_key=True)
    player_id = models.UUIDField()
    brand = models.TextField()
    jurisdiction = models.TextField()
    occurred_at = models.DateTimeField()
    source_partition = models.SmallIntegerField()
    source_offset = models.BigIntegerField()
    digest = models.BigIntegerField(null=True)

    class Meta:
        abstract = True


class Session(models.Model):
    """A session and where it was started from; one whose start has not arrived yet has no more than its end."""

    id = models.UUIDField(primary_key=True)
    player_id = models.UUIDField(null=True)
    brand = models.TextField(null=True)
    jurisdiction = models.TextField(null=True)
    whose_at = models.DateTimeField(null=True)
    whose_logged_at = models.DateTimeField(null=True)
    whose_offset = models.BigIntegerField(null=True)
    channel = models.TextField(null=True)
    country = models.TextField(null=True)
    device_id = models.TextField(null=True)
    ip = models.TextField(null=True)
    started_at = models.DateTimeField(null=True)
    started_logged_at = models.DateTimeField(null=True)
    started_offset = models.BigIntegerField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_logged_at = models.DateTimeField(null=True)
    ended_offset = models.BigIntegerField(null=True)
    end_reason = models.TextField(null=True)

    class Meta:
        indexes = [models.Index(fields=["player_id", "started_at"], name="sessions_of_player")]

    def __str__(self) -> str:
        return str(self.id)


class Login(Fact):
    """A login that succeeded, or failed for ``reason``."""

    record = models.TextField()
    session_id = models.UUIDField(null=True)
    reason = models.TextField(null=True)
    channel = models.TextField()
    country = models.TextField()
    device_id = models.TextField()
    ip = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["player_id", "occurred_at"], name="logins_of_player"),
            models.Index(fields=["device_id", "occurred_at"], name="logins_of_device"),
            models.Index(fields=["ip", "occurred_at"], name="logins_from_ip"),
            by_source("logins_by_source"),
            by_time("logins_by_time"),
        ]


class LimitChange(Fact):
    """A limit was set, changed or removed (no amount and no minutes)."""

    limit_id = models.UUIDField()
    kind = models.TextField()
    period = models.TextField()
    currency = models.TextField()
    amount = models.BigIntegerField(null=True)
    minutes = models.IntegerField(null=True)
    effective_at = models.DateTimeField()
    set_by = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["player_id", "occurred_at"], name="limits_of_player"),
            by_source("limits_by_source"),
        ]


class ExclusionChange(Fact):
    """A self-exclusion or time-out began, was lifted or ran out."""

    exclusion_id = models.UUIDField()
    kind = models.TextField()
    status = models.TextField()
    scope = models.TextField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    reason = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["player_id", "occurred_at"], name="exclusions_of_player"),
            by_source("exclusions_by_source"),
        ]


class Contact(Fact):
    contact_id = models.UUIDField()
    channel = models.TextField()
    direction = models.TextField()
    topic = models.TextField()
    trigger = models.TextField()
    staff = models.TextField()
    outcome = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["player_id", "occurred_at"], name="contacts_of_player"),
            by_source("contacts_by_source"),
        ]


class Document(models.Model):
    """What is known of a document; the document itself is never here."""

    id = models.UUIDField(primary_key=True)
    player_id = models.UUIDField(db_index=True)
    brand = models.TextField()
    jurisdiction = models.TextField()
    kind = models.TextField()
    status = models.TextField()
    country = models.TextField()
    expires_on = models.DateField(null=True)
    size_bytes = models.BigIntegerField()
    sha256 = models.TextField()
    status_at = models.DateTimeField()
    status_logged_at = models.DateTimeField()
    status_offset = models.BigIntegerField()

    def __str__(self) -> str:
        return str(self.id)


class Bonus(models.Model):
    """A bonus from its grant to its end (completed or expired). Amounts in minor units."""

    id = models.UUIDField(primary_key=True)
    player_id = models.UUIDField(null=True, db_index=True)
    brand = models.TextField(null=True)
    jurisdiction = models.TextField(null=True)
    currency = models.TextField(null=True)
    whose_at = models.DateTimeField(null=True)
    whose_logged_at = models.DateTimeField(null=True)
    whose_offset = models.BigIntegerField(null=True)
    campaign = models.TextField(null=True)
    kind = models.TextField(null=True)
    amount = models.BigIntegerField(null=True)
    spins = models.IntegerField(null=True)
    wagering_thousandths = models.BigIntegerField(null=True)
    expires_at = models.DateTimeField(null=True)
    granted_at = models.DateTimeField(null=True)
    granted_logged_at = models.DateTimeField(null=True)
    granted_offset = models.BigIntegerField(null=True)
    ended_as = models.TextField(null=True)
    ended_amount = models.BigIntegerField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_logged_at = models.DateTimeField(null=True)
    ended_offset = models.BigIntegerField(null=True)

    class Meta:
        verbose_name_plural = "bonuses"

    def __str__(self) -> str:
        return str(self.id)


class BonusUse(Fact):
    bonus_id = models.UUIDField(db_index=True)
    currency = models.TextField()
    amount = models.BigIntegerField()
    wagered = models.BigIntegerField()
    bet_id = models.UUIDField(null=True)
    round_id = models.UUIDField(null=True)

    class Meta:
        indexes = [by_source("bonus_uses_by_source")]
