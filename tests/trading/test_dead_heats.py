"""Dead heats of any share come through Kafka into the tables, and what is stored is enough to pay them exactly."""

from fractions import Fraction
from io import StringIO
from typing import Any
from uuid import uuid4

from django.core.management import call_command

from backoffice.contracts.codec import encode_as, frame
from backoffice.contracts.definitions import released
from backoffice.kernel.clock import microseconds
from backoffice.simulator.bets import dead_heat, leg_return, payout
from backoffice.simulator.events.envelope import Event
from tests.simulator.dead_heats import DEAD_HEATS
from tests.spine import Spine
from tests.streams.arriving import event_of
from trading.domain import legs as domain
from trading.domain.lines import accumulator
from trading.domain.settlement import Terms
from trading.domain.settlement import payout as paid_for
from trading.models import Leg, Settlement

WON = {"leg_no": 1, "result": "won", "void_factor": 0, "dead_heat_factor": 1_000}
PLAYER = str(uuid4())
_COLUMNS = ("results", "void_factors", "dead_heat_factors", "dead_heat_places", "dead_heat_tied")


def event(record: str, **changes: Any) -> Event:
    body = event_of(record, event_id=str(uuid4()), player_id=PLAYER, currency="EUR", **changes)
    return Event(record, PLAYER, body | {"occurred_at": microseconds(body["occurred_at"])})


def bet(odds: int, stake: int, result: dict[str, Any], paid: int) -> list[Event]:
    """A single, its settlement and what became of its stake."""
    leg = {
        "leg_no": 1, "sport": "horse_racing", "sport_event_id": "race", "market_id": "win", "outcome_id": "7",
        "odds": odds, "is_in_play": False,
    }  # fmt: skip
    about = {"bet_id": str(uuid4()), "stake": stake, "is_free_bet": False}
    moved = {"bet_id": about["bet_id"], "amount": stake, "bonus_amount": 0, "vertical": "sports", "round_id": None}
    return [
        event("BetPlaced", **about, kind="single", system_size=0, legs=[leg], potential_payout=stake * odds // 1_000),
        event("StakeTaken", **moved),
        event("BetSettled", **about, legs=[result], payout=paid),
        event("StakeReleased", **moved),
    ]


def leg_of(
    odds: int, result: domain.Result, void: int, factor: int, places: int | None, tied: int | None
) -> domain.Leg:
    """Without those who tied the factor in thousandths tells the share."""
    return domain.Leg(odds, domain.Finish(result, places or factor, tied or 1_000), void)


def stored() -> list[tuple[int, int, list[domain.Leg]]]:
    """Stake, payout and legs of each settlement, from the tables alone."""
    odds = {(leg.bet_id, leg.leg_no): leg.odds for leg in Leg.objects.all()}
    found = []
    rows: list[dict[str, Any]] = list(Settlement.objects.order_by("source_partition", "source_offset").values())  # type: ignore[arg-type]
    for row in rows:
        count = len(row["legs"])
        told = zip(*(row[name] or [None] * count for name in _COLUMNS), strict=True)
        legs = [leg_of(odds[row["bet_id"], number], *of) for number, of in zip(row["legs"], told, strict=True)]
        found.append((row["stake"], row["payout"], legs))
    return found


def test_every_dead_heat_is_paid_exactly_by_what_the_tables_keep(spine: Spine) -> None:
    events = []
    for case in DEAD_HEATS:
        result = dead_heat(case.places, case.tied)
        assert payout(case.stake, 1, [leg_return(case.odds, result)]) == case.right
        told = WON | {
            "dead_heat_factor": case.factor, "dead_heat_places": case.places, "dead_heat_tied": case.tied,
        }  # fmt: skip
        events += bet(case.odds, case.stake, told, case.right)
    settled = events[-2].body
    again = {"settlement_no": 2, "payout": settled["payout"], "previous_payout": settled["payout"], "reason": "enquiry"}
    again |= {name: settled[name] for name in ("bet_id", "stake", "legs")}
    spine.send([*events, event("BetResettled", **again)])
    spine.drain("trading", "wallet")

    assert len(stored()) == len(DEAD_HEATS) + 1
    assert {Fraction(leg.win.places, leg.win.tied) for _, _, legs in stored() for leg in legs} == {
        Fraction(case.places, case.tied) for case in DEAD_HEATS
    }
    for stake, paid, legs in stored():
        assert paid_for(Terms(stake, accumulator(1)), legs) == paid
    call_command("reconcile", "--full", stdout=StringIO())


def test_a_settlement_of_an_older_producer_is_read_as_before(spine: Spine) -> None:
    half = WON | {"dead_heat_factor": 500}
    placed, taken, settled, released_stake = bet(10_000, 100, half, 500)
    spine.send([placed, taken, released_stake])
    body = encode_as(released("BetSettled")[0], settled.body)
    older = frame(spine.registry.register_version("BetSettled", 1), body)
    spine.send_bytes("bet-events", [older], key=settled.key.encode())
    spine.drain("trading", "wallet")

    (row,) = Settlement.objects.all()
    assert (row.dead_heat_factors, row.dead_heat_places, row.dead_heat_tied) == ([500], None, None)
    ((stake, paid, legs),) = stored()
    assert paid_for(Terms(stake, accumulator(1)), legs) == paid
    call_command("reconcile", "--full", stdout=StringIO())
