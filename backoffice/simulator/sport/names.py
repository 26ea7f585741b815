"""Invented names from parts: places, players, horses. None is meant to be of anybody."""

import random
from itertools import product

_BEGINNINGS = (
    "Ald", "Bram", "Corv", "Dunm", "Esk", "Farl", "Gress", "Holm", "Ister", "Kell", "Lorn", "Marr", "Nethe", "Orl",
    "Pend", "Quil", "Roth", "Selk", "Thorn", "Ulver", "Vern", "Wether", "Yarr", "Zeal",
)  # fmt: skip
_ENDINGS = ("bury", "combe", "den", "field", "gate", "haven", "mere", "moor", "port", "stead", "wick", "worth")
_CLUBS = ("Athletic", "Borough", "City", "Rovers", "Town", "United", "Wanderers", "")
_TEAMS = ("Comets", "Herons", "Lanterns", "Pilots", "Ravens", "Sailors", "Titans", "Wolves")
_FAMILIES = tuple(
    first + last
    for first, last in product(
        ("Ar", "Bel", "Cas", "Dov", "El", "Fer", "Gal", "Hov", "Is", "Jan", "Kor", "Lin", "Mol", "Nor", "Ost", "Pav"),
        ("ander", "brek", "dini", "essen", "ikov", "marsh", "onte", "quist"),
    )
)
_COLOURS = (
    "Amber", "Bold", "Copper", "Dusty", "Evening", "Fleet", "Grey", "High", "Iron", "Jolly", "Kind", "Long", "Misty",
    "Noble", "Olive", "Proud", "Quiet", "Royal", "Silver", "Tall",
)  # fmt: skip
_THINGS = (
    "Answer", "Bridge", "Crown", "Dancer", "Ember", "Falcon", "Garden", "Harbour", "Island", "Journey", "Kestrel",
    "Lantern", "Meadow", "North", "Orchard", "Promise", "Quarry", "River", "Shadow", "Whisper",
)  # fmt: skip


def football_clubs(rng: random.Random, count: int) -> list[str]:
    return [f"{place} {rng.choice(_CLUBS)}".strip() for place in _places(rng, count)]


def basketball_teams(rng: random.Random, count: int) -> list[str]:
    return [f"{place} {rng.choice(_TEAMS)}" for place in _places(rng, count)]


def tennis_players(rng: random.Random, count: int) -> list[str]:
    return [f"{rng.choice('ABCDEFGHIJKLMNOPRSTVWYZ')}. {family}" for family in rng.sample(_FAMILIES, count)]


def horses(rng: random.Random, count: int) -> list[str]:
    return rng.sample([f"{colour} {thing}" for colour, thing in product(_COLOURS, _THINGS)], count)


def _places(rng: random.Random, count: int) -> list[str]:
    return rng.sample([begin + end for begin, end in product(_BEGINNINGS, _ENDINGS)], count)
