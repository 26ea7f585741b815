"""The operator's brands, its customers' countries, its games and its staff: invented, all of them."""

from typing import NamedTuple


class Brand(NamedTuple):
    name: str
    jurisdiction: str
    countries: tuple[str, ...]


class Country(NamedTuple):
    currency: str
    language: str
    dialling_code: str
    cities: tuple[str, ...]


class Game(NamedTuple):
    id: str
    provider: str
    vertical: str


BRANDS = (
    Brand("harbourplay", "MT", ("MT", "DE", "FI", "AT", "IE")),
    Brand("northlight", "SE", ("SE",)),
    Brand("copperfield", "GB", ("GB",)),
    Brand("velvetbay", "MT", ("NO", "CA", "NZ", "JP")),
    Brand("dansebet", "DK", ("DK",)),
)
BRAND_WEIGHTS = (40, 20, 20, 12, 8)

COUNTRIES = {
    "MT": Country("EUR", "en", "+356", ("Valletta", "Sliema", "Mosta")),
    "DE": Country("EUR", "de", "+49", ("Lübeck", "Kassel", "Ulm")),
    "FI": Country("EUR", "fi", "+358", ("Turku", "Oulu", "Vaasa")),
    "AT": Country("EUR", "de", "+43", ("Linz", "Graz", "Wels")),
    "IE": Country("EUR", "en", "+353", ("Cork", "Galway", "Sligo")),
    "SE": Country("SEK", "sv", "+46", ("Malmö", "Örebro", "Luleå")),
    "GB": Country("GBP", "en", "+44", ("Leeds", "Exeter", "Perth")),
    "NO": Country("NOK", "nb", "+47", ("Bergen", "Tromsø", "Bodø")),
    "CA": Country("CAD", "en", "+1", ("Halifax", "Regina", "Moncton")),
    "NZ": Country("NZD", "en", "+64", ("Nelson", "Napier", "Dunedin")),
    "JP": Country("JPY", "ja", "+81", ("Kobe", "Nara", "Sendai")),
    "DK": Country("DKK", "da", "+45", ("Aarhus", "Odense", "Ribe")),
}

FIRST_NAMES = (
    "Alma", "Bruno", "Clara", "David", "Elin", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kaja", "Leo", "Mira", "Nils",
    "Olivia", "Paul", "Runa", "Søren", "Tilda", "Viggo",
)  # fmt: skip
LAST_NAMES = (
    "Abela", "Berg", "Camilleri", "Dahl", "Eklund", "Farrugia", "Grech", "Holm", "Iversen", "Jansen", "Keller", "Lund",
    "Mäkelä", "Novak", "Olsen", "Pace", "Quinn", "Rossi", "Sato", "Weber",
)  # fmt: skip
STREETS = ("Mill Lane", "Station Road", "Harbour Street", "Linden Way", "Church Hill", "Old Market", "Ring Road")
MAIL_DOMAINS = ("example.com", "example.net", "example.org")
# Networks that are set aside for documentation (RFC 5737), and a private one (RFC 1918).
NETWORKS = ("192.0.2", "198.51.100", "203.0.113", "10.20.30")
AFFILIATES = ("tipsheet", "oddsradar", "spinguide")
CHANNELS = ("web", "ios", "android", "retail")

METHODS = (
    ("card", "clearpay"),
    ("card", "acquira"),
    ("bank", "instabank"),
    ("ewallet", "purse"),
    ("voucher", "paystub"),
)
GAMES = (
    Game("ember-reels", "lanternworks", "slots"),
    Game("deep-current", "lanternworks", "slots"),
    Game("nine-keys", "tumbler", "slots"),
    Game("orchard-rush", "tumbler", "slots"),
    Game("jackpot-ridge", "tumbler", "slots"),
    Game("blackjack-classic", "feltroom", "table"),
    Game("european-roulette", "feltroom", "table"),
    Game("live-roulette-1", "studio-nine", "live"),
    Game("live-baccarat-2", "studio-nine", "live"),
)

# Events that no player causes: every brand, under the licence of the house.
HOUSE = ("all", "MT")
STAFF = tuple(f"staff-{number:02d}" for number in range(1, 41))
