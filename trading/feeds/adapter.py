"""What a provider of odds is to the rest of Pitboss: bytes go in, the state of its markets comes out."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypedDict


class Malformed(ValueError):  # noqa: N818 - named for what is wrong with the message
    """A message that cannot be read. It changed nothing; it is counted and the feed goes on with the next."""


class Outcome(TypedDict):
    """The contract's `MarketOutcome`: odds in thousandths, sizes in minor units of the market's currency."""

    outcome_id: str
    name: str
    status: str
    back_odds: int | None
    back_size: int | None
    lay_odds: int | None
    lay_size: int | None
    last_odds: int | None


class Update(TypedDict):
    """The contract's `MarketUpdate` without its envelope and version: the whole state of one market at a provider.

    ``starts_at`` in microseconds since 1970, UTC, by the provider's clock.
    """

    provider: str
    sport_event_id: str
    sport: str
    competition: str
    event_name: str
    starts_at: int | None
    market_id: str
    market_type: str
    market_name: str
    line: str | None
    status: str
    is_in_play: bool
    bet_delay: int
    winners: int
    currency: str
    traded_volume: int | None
    outcomes: list[Outcome]


class Taken(NamedTuple):
    """What one message said.

    ``at`` is the provider's clock in milliseconds since 1970 (None: the message has no time), ``heartbeat`` the
    milliseconds after which the provider has promised to be heard again (None: it promised nothing). ``lost`` are
    markets that the provider no longer tells of. ``is_stale`` is whether the provider says that it is behind (None: the
    message does not say, and what was so stays so).
    """

    at: int | None
    updates: Sequence[Update] = ()
    lost: Collection[str] = ()
    is_stale: bool | None = None
    is_conflated: bool = False
    heartbeat: int | None = None


class Adapter(Protocol):
    """Keeps the state of one provider's protocol. It knows no clock, no file, no Kafka and no Django."""

    def take(self, message: bytes) -> Taken:
        """What the message changes, as the whole state of each market that it touches.

        Raises:
            Malformed: the message cannot be read; nothing was changed.
        """

    def learn(self, document: bytes) -> None:
        """Names of things, from a document that lies beside the messages.

        Raises:
            Malformed: the document cannot be read; nothing was learnt.
        """


@dataclass(frozen=True)
class Provider:
    """An entry of `trading.feeds.providers`. ``demo`` is a recording in the folder of recorded data."""

    adapter: Callable[[], Adapter]
    demo: str
