"""The tables as the contracts mean them: which event sets which column, and which version of a row wins."""

from dataclasses import dataclass
from functools import cached_property

UNLOGGED = frozenset({"MarketUpdate", "MarketPrice"})


@dataclass(frozen=True)
class Group:
    """Columns that are set together: by which records, from which field, and by what the later one is told."""

    records: frozenset[str]
    columns: dict[str, str]
    version: tuple[str, ...] = ()
    each: str = ""


@dataclass(frozen=True)
class Table:
    name: str
    key: dict[str, str]
    groups: tuple[Group, ...]
    condition: str = ""

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for group in self.groups for name in group.columns))


def _named(text: str) -> dict[str, str]:
    """`column` or `column=field`, by blanks."""
    pairs = (word.partition("=") for word in text.split())
    return {column: field or column for column, _, field in pairs}


def _group(records: str, columns: str, version: str = "", each: str = "") -> Group:
    return Group(frozenset(records.split()), _named(columns), tuple(version.split()), each)


def _table(name: str, key: str, *groups: Group, condition: str = "") -> Table:
    return Table(name, _named(key), groups, condition)


_LOGGED = "sent"
_VERSION = "version sent"
_WHOSE = "player_id brand jurisdiction"
_FACT = f"{_WHOSE} occurred_at"
_DEVICE = "channel country device_id ip"

_MOVEMENTS = (
    "DepositInitiated DepositCompleted DepositDeclined WithdrawalRequested WithdrawalReversed WithdrawalDeclined"
    " WithdrawalPaid StakeTaken StakeReleased StakeRefunded WinningsPaid WinningsReversed BonusCredited BonusConverted"
    " BonusForfeited BalanceAdjusted"
)
_PAYMENTS = " ".join(record for record in _MOVEMENTS.split() if record.startswith(("Deposit", "Withdrawal")))
_ONLY_LOGGED = (
    "PlayerRegistered PlayerVerified PlayerStatusChanged SessionStarted SessionEnded DocumentSubmitted BonusGranted"
    " BonusCompleted BonusExpired ComplianceAlert FeedBegan"
)

_PLAYERS = (
    _table("streams_event", "event_id", _group(_ONLY_LOGGED, "record occurred_at")),
    _table(
        "players_player", "id=player_id",
        _group("PlayerRegistered", "brand jurisdiction country currency birth_year_band channel language affiliate"
               " marketing_consent email phone first_name last_name birth_date street city postcode"
               " registered_at=occurred_at", _LOGGED),
        _group("PlayerStatusChanged", "brand jurisdiction status status_reason=reason status_at=occurred_at", _LOGGED),
        _group("PlayerVerified", "brand jurisdiction verification verification_at=occurred_at", _LOGGED),
    ),
    _table("players_login", "event_id",
           _group("LoginSucceeded LoginFailed", f"record {_FACT} session_id reason {_DEVICE}")),
    _table(
        "players_session", "id=session_id",
        _group("SessionStarted", f"{_WHOSE} {_DEVICE} started_at=occurred_at", _LOGGED),
        _group("SessionEnded", f"{_WHOSE} end_reason=reason ended_at=occurred_at", _LOGGED),
    ),
    _table("players_limitchange", "event_id",
           _group("LimitChanged", f"{_FACT} limit_id kind period currency amount minutes effective_at set_by")),
    _table("players_exclusionchange", "event_id",
           _group("SelfExclusionChanged", f"{_FACT} exclusion_id kind status scope starts_at ends_at reason")),
    _table("players_contact", "event_id",
           _group("PlayerContacted", f"{_FACT} contact_id channel direction topic trigger staff outcome")),
    _table("players_document", "id=document_id",
           _group("DocumentSubmitted", f"{_WHOSE} kind status country expires_on size_bytes sha256"
                  " status_at=occurred_at", _LOGGED)),
    _table(
        "players_bonus", "id=bonus_id",
        _group("BonusGranted", f"{_WHOSE} currency campaign kind amount spins wagering_thousandths expires_at"
               " granted_at=occurred_at", _LOGGED),
        _group("BonusCompleted BonusExpired", f"{_WHOSE} currency ended_as ended_amount ended_at=occurred_at", _LOGGED),
    ),
    _table("players_bonususe", "event_id",
           _group("BonusUsed", f"{_FACT} bonus_id currency amount wagered bet_id round_id")),
)  # fmt: skip

_WALLET = (
    _table("wallet_transaction", "event_id",
           _group(_MOVEMENTS, f"record {_FACT} currency amount bonus_amount vertical payment_id bet_id round_id"
                  " bonus_id reason actor")),
    _table("wallet_payment", "id=payment_id",
           _group(_PAYMENTS, f"{_WHOSE} direction status method provider instrument_id currency amount decline_reason"
                  " status_at=occurred_at", "rank sent")),
    _table("wallet_round", "id=round_id",
           _group("RoundCompleted", f"event_id {_FACT} game_id provider vertical currency stake win jackpot_win"
                  " bonus_stake bonus_win session_id started_at")),
)  # fmt: skip

_TRADING = (
    _table("trading_bet", "id=bet_id",
           _group("BetPlaced", f"event_id {_FACT} currency stake potential_payout kind system_size channel is_in_play"
                  " is_free_bet bonus_id")),
    _table("trading_leg", "bet_id leg_no",
           _group("BetPlaced", "sport sport_event_id market_id outcome_id odds is_in_play", each="legs")),
    _table("trading_settlement", "event_id",
           _group("BetSettled BetVoided BetCashedOut BetResettled",
                  f"record {_FACT} bet_id settlement_no currency stake payout previous_payout reason legs=leg_numbers"
                  " results void_factors dead_heat_factors dead_heat_places dead_heat_tied")),
    _table("trading_sportevent", "id=sport_event_id",
           _group("MarketUpdate", "provider sport competition name=event_name starts_at seen_at=occurred_at", _LOGGED)),
    _table("trading_market", "id=market_id",
           _group("MarketUpdate", "sport_event_id provider type=market_type name=market_name line status is_in_play"
                  " bet_delay winners currency traded_volume version version_at=occurred_at"
                  " subscription run",
                  _VERSION)),
    _table("trading_feedrun", "provider subscription",
           _group("FeedBegan", "run=event_id began_at=occurred_at", _LOGGED)),
    _table("trading_outcome", "market_id outcome_id",
           _group("MarketUpdate", "name status back_odds back_size lay_odds lay_size last_odds version"
                  " version_at=occurred_at", _VERSION, each="outcomes")),
    _table("trading_offer", "market_id",
           _group("MarketPrice", "sport_event_id status is_in_play margin_ppm method version version_at=occurred_at",
                  _VERSION)),
    _table("trading_price", "market_id outcome_id",
           _group("MarketPrice", "odds probability_ppm version version_at=occurred_at",
                  _VERSION, each="prices")),
)  # fmt: skip

_COMPLIANCE = (
    _table("compliance_alert", "id=alert_id",
           _group("ComplianceAlert", f"{_WHOSE} kind severity queue status rule rule_version summary evidence"
                  " status_at=occurred_at", _LOGGED)),
    _table("compliance_operatoract", "event_id",
           _group("OperatorAction", f"{_FACT} action_id actor role action subject_kind subject_id reason details")),
)  # fmt: skip

TABLES: tuple[Table, ...] = (*_PLAYERS, *_WALLET, *_TRADING, *_COMPLIANCE)
