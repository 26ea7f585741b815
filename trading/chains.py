"""Whether each step of a bet (settled, cashed out, made void, settled anew) goes with the bet and with the step before.

That is the one of the next lower number. Revenue is counted by what a step says of both.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backoffice.reconcile.declared import Heard
from backoffice.reconcile.differences import Difference, Found, Unjudged, Weight
from backoffice.reconcile.messages.reading import Event

from .letters import BETS, MAY_TELL, OF_BETS, UNDER_WAY, Letters, told_by_all

STEPS = ("BetSettled", "BetCashedOut", "BetResettled", "BetVoided")
UNPLACED = "unplaced"
SAYS = {
    UNPLACED: "Nobody has placed the bet.",
    "whose": "Its player, currency or stake are not the bet's.",
    "free": "It does not say of the stake what the bet says: whether that was a free bet.",
    "over": "It ends an open bet, but the bet was over already.",
    "open": "It changes how the bet ended, but the bet had not ended.",
    "previous": "Its previous payout is not the payout of the step before.",
}
# What a message that is missing can be the cause of.
_OF_MISSING = frozenset({UNPLACED, "open", "previous"})

# The columns of what was heard, each with its type; in the order of the values that `_heard` gives.
_HEARD = {
    "source_offset": "bigint", "record": "text", "bet_id": "uuid", "number": "int", "player_id": "uuid",
    "currency": "text", "stake": "bigint", "previous": "bigint", "ends": "boolean", "is_free": "boolean",
    "occurred_at": "bigint",
}  # fmt: skip
_AT_ODDS = f"""
WITH heard ({", ".join(_HEARD)}) AS (SELECT * FROM unnest({", ".join(f"%s::{kind}[]" for kind in _HEARD.values())}))
SELECT * FROM (
 SELECT h.source_offset, h.record, h.bet_id::text, h.number, h.player_id::text AS of_player,
  to_timestamp(h.occurred_at / 1000000.0),
  jsonb_build_object('player_id', h.player_id, 'currency', h.currency, 'stake', h.stake, 'is_free_bet', h.is_free,
   'previous_payout', h.previous) AS says,
  CASE WHEN b.id IS NOT NULL THEN jsonb_build_object('player_id', b.player_id, 'currency', b.currency,
   'stake', b.stake, 'is_free_bet', b.is_free_bet,
   'at', concat('{BETS}[', b.source_partition, ']@', b.source_offset)) END AS bet,
  CASE WHEN p.event_id IS NOT NULL THEN jsonb_build_object('record', p.record, 'settlement_no', p.settlement_no,
   'payout', p.payout, 'at', concat('{BETS}[', p.source_partition, ']@', p.source_offset)) END AS before,
  array_remove(ARRAY[
   CASE WHEN b.id IS NULL THEN 'unplaced' END,
   CASE WHEN (b.player_id, b.currency, b.stake) <> (h.player_id, h.currency, h.stake) THEN 'whose' END,
   CASE WHEN b.is_free_bet <> h.is_free THEN 'free' END,
   CASE WHEN h.ends AND p.event_id IS NOT NULL THEN 'over' END,
   CASE WHEN NOT h.ends AND p.event_id IS NULL AND b.id IS NOT NULL THEN 'open' END,
   CASE WHEN h.previous <> coalesce(p.payout, 0) AND b.id IS NOT NULL
    AND (h.ends OR p.event_id IS NOT NULL) THEN 'previous' END
  ], NULL) AS faults
 FROM heard h LEFT JOIN trading_bet b ON b.id = h.bet_id
 LEFT JOIN LATERAL (SELECT * FROM trading_settlement s WHERE s.bet_id = h.bet_id AND s.settlement_no < h.number
  ORDER BY s.settlement_no DESC, s.source_offset DESC LIMIT 1) p ON true
) looked WHERE faults <> '{{}}' ORDER BY 1
"""  # noqa: S608 - of literals of this module


@dataclass(frozen=True)
class _Step:
    """A step at odds with its bet or with the step before; what either says, by name."""

    offset: int
    record: str
    bet_id: str
    number: int
    player_id: str
    at: datetime
    says: dict[str, Any]
    stands: dict[str, Any]
    faults: frozenset[str]


def at_odds(heard: Heard) -> Iterator[Found]:
    """Steps that do not go with their bet, as it was placed, or with the step before.

    A bet that is not there may be under way, and where the log has lost something nobody can say; what a dead letter of
    the player may tell is known. All else is judged as far as no partition lags.
    """
    told, until = heard.told_until(*OF_BETS), told_by_all(heard.told_until, [OF_BETS])
    for step in _steps(heard):
        letters = Letters(heard.cursor, step.player_id, until, (BETS,))
        is_told = told is not None and step.at <= told
        if UNPLACED in step.faults and not (heard.is_whole and until is not None and step.at < until):
            is_told = False
        has_letters = is_told and step.faults <= _OF_MISSING and letters.may_tell_of(step.bet_id)
        found = _told(heard, step, has_letters=has_letters)
        yield found if is_told else Unjudged.of(found, UNDER_WAY)


def _told(heard: Heard, step: _Step, *, has_letters: bool) -> Difference:
    says = " ".join(text for fault, text in SAYS.items() if fault in step.faults) + MAY_TELL * has_letters
    return Difference(
        "chain", says, BETS, heard.partition, step.record, (step.offset, step.offset),
        f"bet_id={step.bet_id}, settlement_no={step.number}", step.says, step.stands,
        Weight.KNOWN if has_letters else Weight.WARNING,
    )  # fmt: skip


def _steps(heard: Heard) -> Iterator[_Step]:
    rows = [
        _heard(record, offset, event)
        for record, events in heard.events.items()
        for offset, event in zip(events.offsets, events.bodies, strict=True)
    ]
    heard.cursor.execute(_AT_ODDS, [list(column) for column in zip(*rows, strict=True)])
    for offset, record, bet_id, number, player_id, at, says, bet, before, faults in heard.cursor.fetchall():
        # Django leaves jsonb as text.
        stands = {"bet": json.loads(bet or "null"), "step before": json.loads(before or "null")}
        yield _Step(offset, record, bet_id, number, player_id, at, json.loads(says), stands, frozenset(faults))


def _heard(record: str, offset: int, event: Event) -> tuple[Any, ...]:
    ends = record in ("BetSettled", "BetCashedOut") or (record == "BetVoided" and not event["was_settled"])
    return (
        offset, record, event["bet_id"], event["settlement_no"], event["player_id"], event["currency"], event["stake"],
        event.get("previous_payout"), ends, event.get("is_free_bet"), event["occurred_at"],
    )  # fmt: skip
