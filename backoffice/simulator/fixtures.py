"""New sport events, with the markets that are offered on them."""

import random
from typing import NamedTuple

from backoffice.simulator.bets import MILLION
from backoffice.simulator.book import Fixture, Market, Outcome, shares
from backoffice.simulator.durations import DAY, MINUTE


class Sport(NamedTuple):
    name: str
    provider: str
    competitions: tuple[str, ...]
    sides: tuple[str, ...]


class Offer(NamedTuple):
    """One market of a sport event; ``margin`` in millionths."""

    type: str
    name: str
    line: str | None
    winners: int
    margin: int
    outcomes: list[str]


_TOWNS = (
    "Ashford", "Brackwell", "Carrow", "Dunmere", "Eastholm", "Farrow", "Greyport", "Hollin", "Inverley", "Kestrel Bay",
    "Lindale", "Marsham", "Norwick", "Oakridge", "Pellham", "Quarry Bank", "Redcliff", "Stonehaven", "Tarn", "Westmere",
)  # fmt: skip
_PLAYERS = ("A. Novak", "B. Lindqvist", "C. Moreau", "D. Farkas", "E. Okafor", "F. Sato", "G. Ferri", "H. Duarte")
_RUNNERS = (
    "Amber Mile", "Bold Harbour", "Copper Lane", "Dusty Crown", "Evening Tide", "Fleet Answer", "Grey Merchant",
    "High Lantern", "Iron Meadow", "Jolly Tar", "Kind Whisper", "Long Shadow",
)  # fmt: skip
_CANDIDATES = ("Coalition of the Coast", "Civic Union", "Green Valley", "New Ledger")

SPORTS = (
    Sport("football", "northfeed", ("Coastal League", "Valley Cup", "Premier Shield"), _TOWNS),
    Sport("tennis", "northfeed", ("Harbour Open", "Clay Masters"), _PLAYERS),
    Sport("basketball", "courtline", ("Metro Conference", "Island League"), _TOWNS),
    Sport("horse_racing", "exchange-one", ("Marsham Downs", "Redcliff Park"), _RUNNERS),
    Sport("politics", "courtline", ("General election",), _CANDIDATES),
)
_WEIGHTS = (40, 20, 15, 20, 5)


def new_fixture(rng: random.Random, now: int) -> Fixture:
    sport = rng.choices(SPORTS, _WEIGHTS)[0]
    sides = _sides(sport, rng)
    kick_off = rng.randrange(5, 50)
    fixture = Fixture(
        id=f"event-{rng.getrandbits(48):012x}",
        sport=sport.name,
        competition=rng.choice(sport.competitions),
        name=sport.competitions[0] if len(sides) > 2 else " v ".join(sides),
        provider=sport.provider,
        starts_at=None if sport.name == "politics" else now + rng.randrange(5 * MINUTE, 2 * DAY),
        kick_off=kick_off,
        end=kick_off + rng.randrange(5, 60),
    )
    for number, offer in enumerate(_offers(sport, sides, rng), 1):
        fixture.markets.append(_market(fixture, number, offer, rng))
    return fixture


def _sides(sport: Sport, rng: random.Random) -> list[str]:
    if sport.name == "horse_racing":
        return rng.sample(sport.sides, rng.randrange(6, 11))
    if sport.name == "politics":
        return list(sport.sides)
    return rng.sample(sport.sides, 2)


def _offers(sport: Sport, sides: list[str], rng: random.Random) -> list[Offer]:
    if sport.name == "football":
        home, away = sides
        return [
            Offer("match_result", "Match result", None, 1, 50_000, [home, "Draw", away]),
            _total("goals", rng.choice(("1.5", "2", "2.25", "2.5", "2.75", "3"))),
        ]
    if sport.name == "horse_racing":
        return [
            Offer("win", "To win", None, 1, 120_000, sides),
            Offer("place", "To be placed", None, 3, 150_000, sides),
        ]
    if sport.name == "politics":
        return [Offer("outright", "Most seats", None, 1, 80_000, sides)]
    unit, lines = ("games", ("20.5", "22", "23.5")) if sport.name == "tennis" else ("points", ("160.5", "168", "175.5"))
    return [Offer("winner", "Winner", None, 1, 55_000, sides), _total(unit, rng.choice(lines))]


def _total(unit: str, line: str) -> Offer:
    return Offer(f"total_{unit}", f"Total {unit}", line, 1, 55_000, [f"Over {line}", f"Under {line}"])


def _market(fixture: Fixture, number: int, offer: Offer, rng: random.Random) -> Market:
    market_id = f"{fixture.id}-{number}"
    # The spread of the weights keeps every chance below 0.95, three places among six runners included.
    weights = [rng.randrange(10, 16 if offer.winners > 1 else 60) for _ in offer.outcomes]
    chances = shares(weights, offer.winners * MILLION)
    outcomes = [
        Outcome(f"{market_id}-{place}", name, chance)
        for place, (name, chance) in enumerate(zip(offer.outcomes, chances, strict=True), 1)
    ]
    market = Market(market_id, offer.type, offer.name, offer.line, offer.winners, offer.margin, outcomes, fixture)
    market.reprice()
    return market
