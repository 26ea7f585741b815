"""What a provider of odds is to the rest of Pitboss: bytes go in, the state of its markets comes out."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypedDict

# No message is longer, in bytes: an image of some hundred markets has a tenth of it. What is longer is not parsed.
LONGEST_MESSAGE = 8 * 2**20

Markets = Collection[str] | None
"""Ids of markets; None where it cannot be told which, so that it may be any of the provider's."""


class Malformed(ValueError):  # noqa: N818 - named for what is wrong with what was read
    """A message, document or file that cannot be read. ``markets`` are those that it names."""

    def __init__(self, reason: str, markets: Markets = None) -> None:
        super().__init__(reason)
        self.markets = markets


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


class Oddities(NamedTuple):
    """What was strange about a message although it could be read; each is counted.

    ``dropped_versions`` of markets were older than what is known of them; of ``lost_segments`` the rest of a message in
    parts never came; ``unknown_markets`` were changed before they were described; ``crossed_books`` can be backed at no
    less than they can be laid at.
    """

    dropped_versions: int = 0
    lost_segments: int = 0
    unknown_markets: int = 0
    crossed_books: int = 0


class Taken(NamedTuple):
    """What one message said.

    ``at`` is the provider's clock in milliseconds since 1970 (None: the message has no time), ``heartbeat`` the
    milliseconds after which the provider has promised to be heard again (None: it promised nothing), and
    ``is_heartbeat`` whether the message is nothing but that. ``lost`` are markets that the provider no longer tells of.
    ``is_stale`` is whether the provider says that it is behind (None: the message does not say, and what was so stays
    so). Something of the ``doubted`` markets was missed: they are suspended until they come in ``images``, which are
    told from scratch; ``is_image`` where that is so of all markets of the provider, but for those that are doubted all
    the same. ``refused`` is why the message could not be read: then it changed nothing, and what it names is doubted.
    """

    at: int | None
    updates: Sequence[Update] = ()
    lost: Collection[str] = ()
    is_stale: bool | None = None
    is_conflated: bool = False
    heartbeat: int | None = None
    is_heartbeat: bool = False
    doubted: Markets = ()
    images: Collection[str] = ()
    is_image: bool = False
    refused: str | None = None
    oddities: Oddities = Oddities()


class Adapter(Protocol):
    """Keeps the state of one provider's protocol. It knows no clock, no file, no Kafka and no Django."""

    def take(self, message: bytes) -> Taken:
        """What the message changes, as the whole state of each market that it touches.

        Nothing is raised, whatever the bytes are: what cannot be read, or is longer than LONGEST_MESSAGE, is refused.
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
