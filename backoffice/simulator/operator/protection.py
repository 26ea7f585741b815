"""Who the player is, what the player may lose, and who talks to whom."""

import hashlib

import numpy as np
import pyarrow as pa

from backoffice.simulator.brands import STAFF
from backoffice.simulator.durations import DAY, HOUR
from backoffice.simulator.operator import rates
from backoffice.simulator.operator.arrays import Flags, Ints, shares
from backoffice.simulator.operator.columns import Column, Words
from backoffice.simulator.operator.identifiers import ids
from backoffice.simulator.operator.people import COUNTRY_NAMES, NEVER, VERIFIED, is_harmed, none, owners
from backoffice.simulator.operator.sessions import end_visits
from backoffice.simulator.operator.world import World

_EXCLUSIONS = ("definite", "indefinite", "time_out")
_EXCLUSION_SHARES = shares((25, 20, 55))
_LIMITS = np.array([5_000, 10_000, 20_000, 50_000, 100_000])
_LIMIT_SHARES = shares((18, 26, 26, 20, 10))
_TOPICS = ("payment", "bonus", "verification", "responsible gaming", "complaint", "game fault")
_TOPIC_SHARES = shares((30, 24, 18, 8, 12, 8))
_HARM_TOPIC_SHARES = shares((12, 30, 4, 40, 14, 0))
_OUTCOMES = ("answered", "limit set", "time-out offered", "passed on", "no answer")
_OUTCOME_SHARES = shares((62, 6, 6, 12, 14))
_CONTACT_CHANNELS = ("email", "chat", "phone", "letter", "in_app")
_DOCUMENTS = ("passport", "identity card", "utility bill", "bank statement")
_REJECTED = 0.14


def verify(world: World, who: Ints, until: Ints | int) -> None:
    """Checks of identity that are due come out well."""
    players = world.players
    who = who[players["verified_at"][who] < until]
    if not len(who):
        return
    world.reach(who, players["verified_at"][who])
    players["verified_at"][who] = NEVER
    players["verification"][who] = VERIFIED
    world.slice.emit(
        "PlayerVerified", owners(players, who), world.tick(who),
        verification="verified", method="electronic", provider="identico",
    )  # fmt: skip


def set_first_limits(world: World, who: Ints) -> None:
    """A limit on deposits of a day, chosen when the account is opened."""
    draws = world.chance.pick("first limit", world.players["key"][who], world.players["clock"][who], _LIMIT_SHARES)
    _set_limits(world, who, (_LIMITS[draws] * world.players["unit"][who]).astype(np.int64))


def change_limits(world: World, who: Ints) -> None:
    """Most make a limit stricter; in harm they raise it."""
    players = world.players
    key, at = players["key"][who], players["clock"][who]
    raised = is_harmed(players, who, at) & (players["limit"][who] != b"")
    first = (_LIMITS[world.chance.pick("limit", key, at, _LIMIT_SHARES)] * players["unit"][who]).astype(np.int64)
    current = players["limit_amount"][who]
    _set_limits(world, who, np.where(raised, current * 2, np.minimum(first, current)))


def exclude(world: World, who: Ints) -> None:
    """Players stay away, for some days or until they ask to come back."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who]
    end_visits(world, who, "self-exclusion")
    kind = chance.pick("kind of exclusion", key, at, _EXCLUSION_SHARES)
    days = np.where(kind == 2, 2, 180) + chance.uniform("length of exclusion", key, at) * np.where(kind == 2, 28, 900)
    players["exclusion"][who] = ids(chance, "exclusion", key, at)
    players["exclusion_kind"][who] = kind
    players["excluded_at"][who] = at
    players["excluded_until"][who] = np.where(kind == 1, NEVER, at + (days * DAY).astype(np.int64))
    _emit_exclusions(world, who, "started")


def end_exclusions(world: World, who: Ints, until: Ints | int) -> None:
    """Exclusions whose time is over."""
    players = world.players
    who = who[players["excluded_until"][who] < until]
    if not len(who):
        return
    world.reach(who, players["excluded_until"][who])
    _emit_exclusions(world, who, "expired")
    players["exclusion"][who] = none(len(who))
    players["excluded_until"][who] = NEVER


def contact(world: World, who: Ints) -> None:
    """A player asks something, or the operator sees signs of harm and speaks to the player."""
    players, chance = world.players, world.chance
    key, at = players["key"][who], players["clock"][who].copy()
    harmed = is_harmed(players, who, at)
    usual = chance.pick("topic", key, at, _TOPIC_SHARES)
    topic = np.where(harmed, chance.pick("topic in harm", key, at, _HARM_TOPIC_SHARES), usual)
    spoken_to = harmed & (topic == 3)

    def one_of(what: str, words: tuple[str, ...]) -> Words:
        return Words((chance.uniform(what, key, at) * len(words)).astype(np.int64), words)

    world.slice.emit(
        "PlayerContacted", owners(players, who), world.tick(who),
        contact_id=ids(chance, "contact", key, at), channel=one_of("contact", _CONTACT_CHANNELS),
        direction=Words(spoken_to.astype(np.int64), ("in", "out")), topic=Words(topic, _TOPICS),
        trigger=Words(spoken_to.astype(np.int64), ("player request", "deposit escalation")),
        staff=one_of("staff", STAFF), outcome=Words(chance.pick("outcome", key, at, _OUTCOME_SHARES), _OUTCOMES),
    )  # fmt: skip


def ask_for_documents(world: World, who: Ints) -> None:
    """Those who have deposited up to the threshold of due diligence hand in a document, once.

    Source: domain.md §3.
    """
    players, chance = world.players, world.chance
    above = players["deposited"][who] >= rates.CDD_THRESHOLD * players["unit"][who]
    who = who[above & (players["document"][who] == b"") & (players["document_due"][who] == NEVER)]
    if not len(who):
        return
    key, at = players["key"][who], players["clock"][who]
    players["document"][who] = ids(chance, "document", key, at)
    players["document_due"][who] = at + ((2 + chance.uniform("judgement", key, at) * 46) * HOUR).astype(np.int64)
    _emit_documents(world, who, "submitted")


def judge_documents(world: World, who: Ints, until: Ints | int) -> None:
    players = world.players
    who = who[players["document_due"][who] < until]
    if not len(who):
        return
    world.reach(who, players["document_due"][who])
    draws = world.chance.uniform("document", players["key"][who], players["clock"][who])
    rejected = draws < _REJECTED
    _emit_documents(world, who, Words(rejected.astype(np.int64), ("accepted", "rejected")))
    players["document_due"][who] = np.where(rejected, NEVER, NEVER - 1)
    players["document"][who] = none(len(who))


def acts_of_protection(world: World, who: Ints, share: float) -> Flags:
    """Which of these players do now what one in so many acts is; more often in harm."""
    players, at = world.players, world.players["clock"][who]
    often = np.where(is_harmed(players, who, at), rates.HARM_ACTS, 1.0)
    return np.asarray(world.chance.uniform(f"protection {share}", players["key"][who], at) < share * often)


def _set_limits(world: World, who: Ints, amount: Ints) -> None:
    """Stricter ones hold at once, looser ones after a day."""
    players = world.players
    at = players["clock"][who].copy()
    new = players["limit"][who] == b""
    players["limit"][who[new]] = ids(world.chance, "limit", players["key"][who[new]], at[new])
    looser = amount > players["limit_amount"][who]
    players["limit_amount"][who] = amount
    world.slice.emit(
        "LimitChanged", owners(players, who), world.tick(who),
        limit_id=players["limit"][who], kind="deposit", period="day", amount=amount,
        effective_at=at + np.where(looser, DAY, 0), set_by="player",
    )  # fmt: skip


def _emit_exclusions(world: World, who: Ints, status: str) -> None:
    players = world.players
    ends = players["excluded_until"][who]
    world.slice.emit(
        "SelfExclusionChanged", owners(players, who), world.tick(who),
        exclusion_id=players["exclusion"][who],
        kind=Words(players["exclusion_kind"][who].astype(np.int64), _EXCLUSIONS),
        status=status, scope="licence", starts_at=players["excluded_at"][who],
        ends_at=pa.array(ends, pa.timestamp("us"), mask=ends == NEVER), reason="player request",
    )  # fmt: skip


def _emit_documents(world: World, who: Ints, status: Words | str) -> None:
    players = world.players
    sums = [hashlib.sha256(document).hexdigest() for document in players["document"][who].tolist()]
    kinds = np.array([int(text[0], 16) % len(_DOCUMENTS) for text in sums], np.int64)
    sizes = np.array([50_000 + int(text[:6], 16) % 7_000_000 for text in sums], np.int64)
    columns: dict[str, Column] = {
        "document_id": players["document"][who], "kind": Words(kinds, _DOCUMENTS), "status": status,
        "country": Words(players["country"][who].astype(np.int64), COUNTRY_NAMES),
        "size_bytes": sizes, "sha256": pa.array(sums, pa.string()),
    }  # fmt: skip
    world.slice.emit("DocumentSubmitted", owners(players, who), world.tick(who), **columns)
