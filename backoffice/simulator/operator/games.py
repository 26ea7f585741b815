"""The casino's games: what they pay how often. Multiples are hundredths of the stake, the stake included.

The return to the player (RTP) and the deviation of a single round follow from the table; jackpots are part of both.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from backoffice.simulator.operator.arrays import Floats, Ints


@dataclass(frozen=True)
class Game:
    """``pays``: multiples with their probabilities; the rest of the rounds pays nothing. ``jackpot``: its chance.

    ``seconds`` is the usual time from one round to the next, ``popularity`` relative within the vertical.
    """

    id: str
    provider: str
    vertical: str
    seconds: float
    popularity: int
    pays: tuple[tuple[int, float], ...]
    jackpot: float = 0.0

    @property
    def rtp(self) -> float:
        """Expected return of a stake of 1, jackpots left out: these are fixed sums, not multiples."""
        return sum(multiple * chance for multiple, chance in self.pays) / 100

    @property
    def sigma(self) -> float:
        """Standard deviation of what one round returns for a stake of 1."""
        return sqrt(sum((multiple / 100) ** 2 * chance for multiple, chance in self.pays) - self.rtp**2)


VERTICALS = ("slots", "table", "live")
_CALM = ((40, 0.16), (80, 0.12), (150, 0.12), (300, 0.06), (600, 0.022), (1_500, 0.0068), (5_000, 0.0024),
         (20_000, 0.0004))  # fmt: skip
_WILD = ((30, 0.14), (60, 0.1), (200, 0.075), (500, 0.035), (1_000, 0.0135), (3_000, 0.0042), (10_000, 0.0014),
         (50_000, 0.00022), (250_000, 0.00001))  # fmt: skip
_KEYS = ((50, 0.15), (100, 0.13), (200, 0.085), (400, 0.0385), (1_000, 0.0132), (2_500, 0.0056), (8_000, 0.0016),
         (100_000, 0.00003))  # fmt: skip
_BLACKJACK = ((100, 0.0848), (200, 0.3797), (250, 0.0453), (400, 0.0081))
# Of the stakes 70 % are on colours, 25 % on dozens, 5 % on single numbers, on a wheel with one zero.
_ROULETTE = ((200, 0.7 * 18 / 37), (300, 0.25 * 12 / 37), (3_600, 0.05 / 37))
_BACCARAT = ((100, 0.0952), (195, 0.2293), (200, 0.2231))

GAMES = (
    Game("ember-reels", "lanternworks", "slots", 4.2, 30, _CALM),
    Game("deep-current", "lanternworks", "slots", 4.6, 20, _WILD),
    Game("nine-keys", "tumbler", "slots", 4.0, 22, _KEYS),
    Game("orchard-rush", "tumbler", "slots", 3.8, 18, _CALM),
    Game("jackpot-ridge", "tumbler", "slots", 4.8, 10, _WILD, 0.00002),
    Game("blackjack-classic", "feltroom", "table", 14.0, 60, _BLACKJACK),
    Game("european-roulette", "feltroom", "table", 20.0, 40, _ROULETTE),
    Game("live-roulette-1", "studio-nine", "live", 45.0, 60, _ROULETTE),
    Game("live-baccarat-2", "studio-nine", "live", 38.0, 40, _BACCARAT),
)
# Fixed jackpots in euro cents, and their shares.
JACKPOTS = ((50_000, 0.9), (500_000, 0.09), (2_500_000, 0.01))

IDS = tuple(game.id for game in GAMES)
PROVIDERS = tuple(game.provider for game in GAMES)
GAME_VERTICALS = tuple(game.vertical for game in GAMES)


def _tables() -> tuple[Floats, Ints]:
    """For all games in a row: what is drawn (the game's number plus a share) and the multiple it stands for."""
    drawn: list[float] = []
    multiples: list[int] = []
    for number, game in enumerate(GAMES):
        total = 0.0
        for multiple, chance in game.pays:
            total += chance
            drawn.append(number + total)
            multiples.append(multiple)
        drawn.append(number + 1.0)
        multiples.append(0)
    return np.array(drawn), np.array(multiples)


_DRAWN, _MULTIPLES = _tables()


def multiples(games: Ints, draws: Floats) -> Ints:
    """What rounds of these games pay, in hundredths of the stake, for draws from 0 up to 1."""
    return _MULTIPLES[np.minimum(np.searchsorted(_DRAWN, games + draws, side="right"), len(_MULTIPLES) - 1)]
