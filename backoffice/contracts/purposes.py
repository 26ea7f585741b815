"""What a field may be kept for, and on which lawful basis; a purpose that is not here is none.

Every field names one purpose, so that its basis, and what the record of processing says of it (GDPR art. 30), follow
from its contract alone. The obligations are those of an operator with a licence of Malta.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Basis(Enum):
    """GDPR art. 6(1), by its letters."""

    CONSENT = "a"
    CONTRACT = "b"
    LEGAL_OBLIGATION = "c"
    LEGITIMATE_INTERESTS = "f"


@dataclass(frozen=True)
class Purpose:
    """``source`` is the rule that obliges, or the interest that outweighs."""

    basis: Basis
    source: str


PURPOSES: Mapping[str, Purpose] = {
    "accounting": Purpose(Basis.LEGAL_OBLIGATION, "Income Tax Management Act, Cap. 372; Companies Act, Cap. 386"),
    "anti-money-laundering": Purpose(
        Basis.LEGAL_OBLIGATION, "Prevention of Money Laundering and Funding of Terrorism Regulations (2018)"
    ),
    "audit": Purpose(Basis.LEGAL_OBLIGATION, "Gaming Compliance and Enforcement Regulations (2018)"),
    "bonus terms": Purpose(Basis.CONTRACT, "the terms of the bonus that the player took"),
    "brand separation": Purpose(Basis.LEGAL_OBLIGATION, "Gaming Authorisations Regulations (2018)"),
    "compliance duty": Purpose(Basis.LEGAL_OBLIGATION, "Gaming Compliance and Enforcement Regulations (2018)"),
    "contract": Purpose(Basis.CONTRACT, "the terms that the player accepted"),
    "event identity": Purpose(Basis.LEGITIMATE_INTERESTS, "nothing is counted twice"),
    "event order": Purpose(Basis.LEGITIMATE_INTERESTS, "what holds is told from what held before"),
    "exposure": Purpose(Basis.LEGITIMATE_INTERESTS, "a book that can pay what it owes"),
    "identification": Purpose(
        Basis.LEGAL_OBLIGATION, "Prevention of Money Laundering and Funding of Terrorism Regulations (2018), reg. 7"
    ),
    "integrity": Purpose(Basis.LEGAL_OBLIGATION, "Gaming Compliance and Enforcement Regulations (2018)"),
    "marketing": Purpose(Basis.CONSENT, "what the player agreed to, channel by channel"),
    "player protection": Purpose(Basis.LEGAL_OBLIGATION, "Gaming Player Protection Regulations (2018)"),
    "pricing": Purpose(Basis.LEGITIMATE_INTERESTS, "prices that hold"),
    "regulatory reporting": Purpose(Basis.LEGAL_OBLIGATION, "Gaming Compliance and Enforcement Regulations (2018)"),
    "revenue reporting": Purpose(Basis.LEGAL_OBLIGATION, "Gaming Tax Regulations (2018)"),
    "security": Purpose(Basis.LEGITIMATE_INTERESTS, "accounts that nobody else uses"),
    "settlement": Purpose(Basis.CONTRACT, "the rules of the book that the player accepted"),
}
