"""Alerts and the operator's own actions, as their topics tell them. Written by projections only."""

from django.db import models

from backoffice.streams.indexes import by_source


class Alert(models.Model):
    id = models.UUIDField(primary_key=True)
    player_id = models.UUIDField(null=True)
    brand = models.TextField()
    jurisdiction = models.TextField()
    kind = models.TextField()
    severity = models.TextField()
    queue = models.TextField()
    status = models.TextField()
    rule = models.TextField()
    rule_version = models.IntegerField()
    summary = models.TextField()
    evidence = models.TextField()
    status_at = models.DateTimeField()
    status_logged_at = models.DateTimeField()
    status_offset = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["queue", "status", "status_at"], name="alerts_of_queue")]

    def __str__(self) -> str:
        return self.summary


class OperatorAct(models.Model):
    """What a person of the operator did, to what, and why."""

    event_id = models.UUIDField(primary_key=True)
    action_id = models.UUIDField()
    player_id = models.UUIDField(null=True)
    brand = models.TextField()
    jurisdiction = models.TextField()
    actor = models.TextField()
    role = models.TextField()
    action = models.TextField()
    subject_kind = models.TextField()
    subject_id = models.TextField()
    reason = models.TextField()
    details = models.TextField()
    occurred_at = models.DateTimeField()
    source_partition = models.SmallIntegerField()
    source_offset = models.BigIntegerField()
    digest = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["subject_id", "occurred_at"], name="acts_on_subject"),
            by_source("acts_by_source"),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action}"
