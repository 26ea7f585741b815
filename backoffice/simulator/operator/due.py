"""What others decide for a player while time goes by: providers, the staff, the calendar."""

from backoffice.simulator.operator.arrays import Ints
from backoffice.simulator.operator.bonuses import end_bonuses
from backoffice.simulator.operator.payments import decide_deposits, decide_withdrawals
from backoffice.simulator.operator.protection import end_exclusions, judge_documents, verify
from backoffice.simulator.operator.settling import settle_bets
from backoffice.simulator.operator.world import World

_DECISIONS = (
    verify, decide_deposits, decide_withdrawals, judge_documents, end_exclusions, settle_bets, end_bonuses,
)  # fmt: skip


def settle_due(world: World, who: Ints, until: Ints | int) -> None:
    """Do for these players all that is due before the moment (of each, or one for all).

    It happens when it is due, or where a player's clock is already, if that is later.
    """
    for decide in _DECISIONS:
        decide(world, who, until)
