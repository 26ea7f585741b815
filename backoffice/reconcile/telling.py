"""Findings are noted once, and end when a run looks where they were and they are not there any more."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Min, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from backoffice.metrics.differences import Differences, Open
from backoffice.streams.clocks import furthest

from .alerts import alert_of, close_over, number_of
from .books import BY_THE_CLOCK
from .checks.rows import OF_BEYOND
from .differences import LISTED, NOT_CHECKED, NOT_JUDGED, NOT_WALKED, PACE, Difference, Standing, Unjudged, Weight
from .messages.log import LAST, Slice
from .models import CheckedPlace, Finding, Rest

# So many of a kind are looked at by one run. More may stand open that an edition noted which kept all.
AT_ONCE = 10 * LISTED
# So many are named in one statement.
_CHUNK = 10_000
NOT_LOOKED_AT = "nobody has looked at it, for its place cannot be read any more"
NOT_FOUND = "It is not found any more where it was."
# Found by whoever passes the beginning or the end of a log, and not by reading what stands at the offsets again.
_OF_LOGS = ("log_begins_later", "log_ends_early", "known_gap")
# Every run that reads a partition on looks where its log ends, and has read it.
_OF_EVERY_RUN = ("log_ends_early", NOT_CHECKED)
# Nobody comes to the place again: it is told once, as the run that passes it has it.
_IN_PASSING = "log_begins_later"
# Said by each run by the clock for as long as it holds, and by no other.
_OF_THE_CLOCK = (NOT_WALKED, PACE)
# A round that had begun when the finding was last met says nothing of it; the one after that does.
_ROUNDS = 2

Rounds = Mapping[str, int]


def tell(differences: Sequence[Difference], now: datetime) -> None:
    """Note the findings, within the caller's transaction. What is known needs nobody to look at it.

    Who notes tells of it, too (`alerts.telling_of`).
    """
    news = [difference for difference in differences if difference.weight is not Weight.KNOWN]
    _end_known([difference for difference in differences if difference.weight is Weight.KNOWN], now)
    if not news:
        return
    rounds = rounds_done()
    known = Finding.objects.in_bulk([difference.fingerprint() for difference in news])
    for difference in news:
        finding = known.get(difference.fingerprint())
        is_open = finding is not None and finding.ended_at is None
        if finding is None:
            finding = Finding(id=difference.fingerprint(), first_seen_at=now)
        # By what was first said of a row with a key it is judged once its messages are gone.
        if not (is_open and difference.key) or finding.difference.keys() != difference.as_json().keys():
            finding.difference = difference.as_json()
        if not is_open:
            finding.alert_id = alert_of(difference.kind, now)
            finding.ended_at, finding.accepted_by, finding.accepted_why = None, "", ""
        finding.last_seen_at, finding.rounds, finding.agreed_at = now, rounds, None
        finding.save()
        known[finding.id] = finding


def _end_known(known: Sequence[Difference], now: datetime) -> None:
    """What was told of a log ends when a person has accepted it."""
    at = {(one.stream, one.topic, one.partition, *one.offsets) for one in known if one.offsets}

    def is_known(finding: Finding) -> bool:
        found = finding.difference
        first, last = found["offsets"]
        place = (found["stream"], found["topic"], found["partition"])
        return any(place == (*of,) and begin <= first and last <= end for *of, begin, end in at)

    if at:
        told = Finding.objects.filter(ended_at=None, difference__check__in=_OF_LOGS)
        _end(told, is_known, now, "A person has accepted it.")


def rounds_done() -> dict[str, int]:
    """How many rounds each partition and each table has behind it, of the runs by the clock."""
    found = {name_of(place): place.rounds for place in BY_THE_CLOCK.checked._default_manager.all()}
    return found | dict(BY_THE_CLOCK.walks._default_manager.values_list("name", "rounds"))


def name_of(place: CheckedPlace) -> str:
    """What the rounds of a partition are counted by; of a topic that was made anew they are other ones."""
    return f"{place.stream}/{place.topic}/{place.partition}/{place.generation}"


def open_findings(since: datetime, now: datetime) -> list[Finding]:
    """Those that stand open and were not met since a moment: when a run began.

    Nor was one that is said to have been met at a time that is still to come.
    """
    unmet = Q(last_seen_at__lt=since) | Q(last_seen_at__gt=furthest(now))
    return list(Finding.objects.filter(unmet, ended_at=None))


def leave_open(
    unjudged: Collection[Unjudged], since: datetime, now: datetime, is_mine: Callable[[str], bool]
) -> list[Difference]:
    """Of what could not be judged nobody can say that it was not met: such findings wait as if they had been.

    Those of topics that are not ``is_mine`` another process of the run has. Returns what is to be said of each.
    """
    found = open_findings(since, now) if unjudged else []
    found = [finding for finding in found if is_mine(finding.difference["topic"])]
    left = [(finding, one.why) for finding in found for one in unjudged if one.may_be(finding.difference)]
    of_each = {finding.pk: (finding, why) for finding, why in left}
    if of_each:
        Finding.objects.filter(pk__in=of_each).update(last_seen_at=now, rounds=rounds_done())
    return [_not_judged(finding, why) for finding, why in of_each.values()]


def _not_judged(finding: Finding, why: str) -> Difference:
    return not_judged(finding.difference, finding.first_seen_at, why)


def not_judged(found: Standing, since: datetime, why: str) -> Difference:
    """What is to be said of a finding that stands open since then."""
    at = f"@{found['offsets'][0]}" if found["offsets"] else ""
    return Difference(
        NOT_JUDGED, f"What was found of it stands open, and could not be judged: {why}.", found["topic"],
        found["partition"], found["record"], where=" ".join(filter(None, [found["check"], at, found["where"]])),
        postgres={"weight": found["weight"], "since": since.isoformat()}, weight=Weight.KNOWN,
        stream=found["stream"],
    )  # fmt: skip


def end_read_again(slices: Iterable[Slice], since: datetime, now: datetime) -> None:
    """End what is not met any more where it stood: the offsets were read, since the run began at ``since``.

    What stands at an offset ends so and not otherwise: that nobody has read there says nothing of it.
    """
    read = list(slices)
    _end(open_findings(since, now), lambda finding: any(_lies_in(finding, part) for part in read), now)


def end_gone_round(since: datetime, now: datetime, moving: Collection[str]) -> None:
    """End what stands at no offset and was not met although all rounds that would meet it were gone through.

    Of these, what is ``moving``: for a round of a partition that holds nothing any more, or of what no stream stores
    any more, one would wait for ever. What a walk has found waits for that walk, whatever moves.
    """
    rounds = rounds_done()
    Finding.objects.filter(ended_at=None, rounds={}).update(rounds=rounds)
    waited_for = {name: done for name, done in rounds.items() if name in moving}
    _end(open_findings(since, now), lambda finding: _is_gone_round(finding, waited_for), now)


def end_unsaid(since: datetime, now: datetime) -> None:
    """End what each run by the clock says of the runs themselves, and this one has not."""
    _end(open_findings(since, now), _is_of_the_clock, now, "It is not so any more.")


def end_all(since: datetime, now: datetime, walked: Collection[str]) -> None:
    """End what stands at no offset and a run over everything has not met since it began; of what walks find, where
    they were ``walked``.
    """

    def is_looked_at(finding: Finding) -> bool:
        walk = finding.difference.get("walk")
        is_there = stands_at(finding) is None and not _is_of_the_clock(finding)
        return is_there and (not walk or walk in walked)

    _end(open_findings(since, now), is_looked_at, now)


def leave_unread(since: datetime, now: datetime, *, full: bool) -> list[Difference]:
    """What is to be said of those at whose offsets nobody has read since the run began; and, of a run over everything,
    of all that it has neither met nor ended.
    """
    unmet = [finding for finding in open_findings(since, now) if not _is_of_the_clock(finding)]
    found = [finding for finding in unmet if full or stands_at(finding)]
    return [_not_judged(finding, NOT_LOOKED_AT) for finding in found]


def keep_met(met: Collection[UUID], now: datetime) -> None:
    """These were met, too, and there was no room to list them."""
    numbers = list(met)
    for start in range(0, len(numbers), _CHUNK):
        _keep(Finding.objects.filter(pk__in=numbers[start : start + _CHUNK], ended_at=None), now)


def _keep(findings: QuerySet[Finding], now: datetime) -> None:
    findings.update(last_seen_at=now, rounds=rounds_done(), agreed_at=None)


def stands_at(finding: Finding) -> tuple[str, str, int, int, int] | None:
    """Stream, topic, partition, first and last offset of what is found by reading these again; None of all else.

    None, too, of what was noted before there was said whether a walk has found it, until it is met again.
    """
    found = finding.difference
    if not found["offsets"] or not found["topic"] or found["check"] in _OF_LOGS or found.get("walk", "unknown"):
        return None
    return found["stream"], found["topic"], found["partition"], *found["offsets"]


def all_standing(now: datetime) -> list[Standing]:
    """The findings that stand open when a run begins, as JSON; of each kind ``AT_ONCE``, those that stand the longest.

    The others wait as if they had been met: nobody asks for them.
    """
    of_kind = [F(f"difference__{name}") for name in ("weight", "stream", "topic", "check")]
    place = Window(RowNumber(), partition_by=of_kind, order_by=["first_seen_at", "id"])
    found = Finding.objects.filter(ended_at=None).annotate(place=place)
    with transaction.atomic():
        _keep(Finding.objects.filter(pk__in=found.filter(place__gt=AT_ONCE).values("pk")), now)
        known = found.filter(place__lte=AT_ONCE).values_list("difference", flat=True)
        return [{"key": [], "state": ""} | difference for difference in known]


def agreed() -> set[UUID]:
    """Those that stand open and are what a message says that was read since they were last met."""
    return set(Finding.objects.filter(ended_at=None, agreed_at__isnull=False).values_list("id", flat=True))


def note_agreed(findings: Collection[UUID], now: datetime) -> None:
    Finding.objects.filter(pk__in=findings, agreed_at=None).update(agreed_at=now)


def standing() -> Differences:
    """How many differences stand open, and how many warnings; those included that are not noted one by one."""
    return Differences("reconcile", _open(Weight.DIFFERENCE), _open(Weight.WARNING))


def _open(weight: Weight) -> Open:
    noted = Finding.objects.filter(ended_at=None, difference__weight=weight)
    told = noted.aggregate(number=Count("id"), since=Min("first_seen_at"))
    rests = Rest.objects.filter(weight=weight)
    since = min(filter(None, (told["since"], rests.aggregate(since=Min("first_seen_at"))["since"])), default=None)
    return Open(told["number"] + number_of(rests), since)


def _lies_in(finding: Finding, part: Slice) -> bool:
    match stands_at(finding):
        case stream, topic, partition, first, last:
            is_read = (stream, topic, partition) == part.key and part.start <= first and last < part.end
            is_asked = part.end < LAST or finding.difference["check"] in OF_BEYOND
            return is_read and is_asked and part.log_at(last) == finding.difference.get("log", "")
    found = finding.difference
    place = (found["stream"], found["topic"], found["partition"])
    return part.is_new and found["check"] in _OF_EVERY_RUN and place == part.key


def _is_of_the_clock(finding: Finding) -> bool:
    return finding.difference["check"] in _OF_THE_CLOCK


def _is_gone_round(finding: Finding, rounds: Rounds) -> bool:
    before: Rounds = finding.rounds
    walk = finding.difference.get("walk")
    return (
        finding.difference["check"] not in (_IN_PASSING, *_OF_THE_CLOCK)
        and stands_at(finding) is None
        and bool(before)
        and (not walk or rounds.get(walk, 0) >= before.get(walk, 0) + _ROUNDS)
        and all(rounds[n] >= before[n] + _ROUNDS for n in _meeting(finding.difference, before.keys() & rounds.keys()))
    )


def _meeting(found: Standing, names: Collection[str]) -> Collection[str]:
    """The rounds, of those with these names, that would meet it again: its walk; of a row, the walks along its table
    and, where a stream is named, the partitions that the stream makes it of. All, where nobody knows.
    """
    walk, table = found.get("walk"), found.get("table")
    if walk or not table:
        return [str(walk)] if walk in names else names
    along, of_topic = f" in {table}", f"{found['stream']}/{found['topic']}/"
    return [name for name in names if name.endswith(along) or name.startswith(of_topic)] or names


def _end(findings: Iterable[Finding], is_over: Callable[[Finding], bool], now: datetime, why: str = NOT_FOUND) -> None:
    over = [finding for finding in findings if is_over(finding)]
    if over:
        Finding.objects.filter(pk__in=[finding.pk for finding in over]).update(ended_at=now)
        close_over({finding.alert_id for finding in over}, why, now)


def end_accepted(findings: Collection[Finding], alerts: Collection[UUID], by: str, why: str, now: datetime) -> None:
    """What a person takes upon himself; with alerts of which something else was."""
    numbers = [finding.pk for finding in findings]
    Finding.objects.filter(pk__in=numbers).update(ended_at=now, accepted_by=by, accepted_why=why)
    close_over({*alerts, *(finding.alert_id for finding in findings)}, f"Accepted by {by}: {why}", now)
