"""The ledger and what moves it. Written by projections only; amounts are minor units.

The ledger is double-entry in the shape of transfers: each moves one positive amount from the account it debits to the
account it credits, in one currency, so that all of it sums to zero by construction. The transfers of one event are
linked: they share its id and are stored all or none.
"""

from django.db import models
from django.db.models import F, Q

from backoffice.streams.indexes import by_source, by_time
from backoffice.streams.tables.immutable import IMMUTABLE


class Account(models.Model):
    """A ledger account. A player's has the player's id; a house account has a subject (provider, vertical) instead."""

    class Kind(models.TextChoices):
        CASH = "cash"
        BONUS = "bonus"
        OPEN_BETS = "open_bets"
        PENDING_WITHDRAWALS = "pending_withdrawals"
        CLEARING = "clearing"
        REVENUE = "revenue"
        BONUS_COST = "bonus_cost"
        ADJUSTMENTS = "adjustments"

    id = models.UUIDField(primary_key=True)
    kind = models.TextField(choices=Kind)
    player_id = models.UUIDField(null=True)
    subject = models.TextField()
    currency = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["player_id"], name="accounts_of_player", condition=Q(player_id__isnull=False))]

    def __str__(self) -> str:
        return f"{self.kind} {self.player_id or self.subject} {self.currency}"


class Balance(models.Model):
    """What was debited and credited in all, from one partition of the topic; an account's balance is their sum.

    A house account is moved from every partition at once; a row for each keeps workers from waiting for one another.
    """

    pk = models.CompositePrimaryKey("account_id", "partition")
    account_id = models.UUIDField()
    partition = models.SmallIntegerField()
    debits = models.BigIntegerField()
    credits = models.BigIntegerField()


class Transfer(models.Model):
    """One movement of the ledger; never changed, corrected by a reversing one."""

    pk = models.CompositePrimaryKey("event_id", "number")
    event_id = models.UUIDField()
    number = models.SmallIntegerField()
    debit_account = models.UUIDField()
    credit_account = models.UUIDField()
    amount = models.BigIntegerField()
    currency = models.TextField()
    record = models.TextField()
    occurred_at = models.DateTimeField()
    source_partition = models.SmallIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_moves_something"),
            models.CheckConstraint(condition=~Q(debit_account=F("credit_account")), name="transfer_between_two"),
        ]
        indexes = [
            models.Index(fields=["debit_account", "occurred_at"], name="transfers_from"),
            models.Index(fields=["credit_account", "occurred_at"], name="transfers_to"),
            by_time("transfers_by_time"),
        ]
        triggers = IMMUTABLE


class Transaction(models.Model):
    """One row for each event of `wallet-transactions`: what happened, before it became transfers."""

    event_id = models.UUIDField(primary_key=True)
    record = models.TextField()
    player_id = models.UUIDField()
    brand = models.TextField()
    jurisdiction = models.TextField()
    currency = models.TextField()
    amount = models.BigIntegerField()
    bonus_amount = models.BigIntegerField(null=True)
    vertical = models.TextField(null=True)
    payment_id = models.UUIDField(null=True)
    bet_id = models.UUIDField(null=True)
    round_id = models.UUIDField(null=True)
    bonus_id = models.UUIDField(null=True)
    reason = models.TextField(null=True)
    actor = models.TextField(null=True)
    occurred_at = models.DateTimeField()
    source_partition = models.SmallIntegerField()
    source_offset = models.BigIntegerField()
    digest = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            by_source("transactions_by_source"),
            by_time("transactions_by_time"),
            models.Index(fields=["player_id", "occurred_at"], name="transactions_of_player"),
            models.Index(fields=["payment_id"], name="history_of_payment", condition=Q(payment_id__isnull=False)),
            models.Index(fields=["bet_id"], name="history_of_bet", condition=Q(bet_id__isnull=False)),
        ]
        triggers = IMMUTABLE

    def __str__(self) -> str:
        return f"{self.record} {self.event_id}"


class Payment(models.Model):
    """A deposit or withdrawal as it stands now; its history are the transactions with its id."""

    id = models.UUIDField(primary_key=True)
    direction = models.TextField()
    player_id = models.UUIDField()
    brand = models.TextField()
    jurisdiction = models.TextField()
    method = models.TextField()
    provider = models.TextField()
    instrument_id = models.TextField()
    currency = models.TextField()
    amount = models.BigIntegerField()
    status = models.TextField()
    status_rank = models.SmallIntegerField()
    decline_reason = models.TextField(null=True)
    status_at = models.DateTimeField()
    status_logged_at = models.DateTimeField()
    status_offset = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["player_id", "status_at"], name="payments_of_player"),
            models.Index(fields=["instrument_id"], name="payments_of_instrument"),
            # What somebody has to do something about; all others are found by player, instrument or time.
            models.Index(
                fields=["status", "status_at"],
                condition=Q(status__in=["initiated", "requested"]),
                name="unfinished_payments",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Round(models.Model):
    """A finished game round. Win includes neither the jackpot nor what was won with bonus money."""

    id = models.UUIDField(primary_key=True)
    event_id = models.UUIDField()
    player_id = models.UUIDField()
    brand = models.TextField()
    jurisdiction = models.TextField()
    game_id = models.TextField()
    provider = models.TextField()
    vertical = models.TextField()
    currency = models.TextField()
    stake = models.BigIntegerField()
    win = models.BigIntegerField()
    jackpot_win = models.BigIntegerField()
    bonus_stake = models.BigIntegerField()
    bonus_win = models.BigIntegerField()
    session_id = models.UUIDField(null=True)
    started_at = models.DateTimeField()
    occurred_at = models.DateTimeField()
    source_partition = models.SmallIntegerField()
    source_offset = models.BigIntegerField()
    digest = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["player_id", "occurred_at"], name="rounds_of_player"),
            by_source("rounds_by_source"),
            by_time("rounds_by_time"),
        ]

    def __str__(self) -> str:
        return str(self.id)
