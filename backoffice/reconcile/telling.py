"""An alert for each finding, which is closed when a run looks where the finding was and it is not there any more."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db.models import Count, Min, Q

from backoffice.kernel.ids import derived_id
from backoffice.metrics.differences import Differences
from backoffice.streams.clocks import furthest
from backoffice.streams.outbox.alerts import close_alert, raise_alert

from .books import STANDING
from .differences import Difference, Weight
from .messages.log import Slice
from .models import CheckedPlace, Finding

KIND = "reconcile_difference"
NOT_FOUND = "It is not found any more where it was."
# Found by whoever passes the beginning or the end of a log, and not by reading what stands at the offsets again.
_OF_LOGS = ("log_begins_later", "log_ends_early", "known_gap")
# Every run that reads a partition on looks where its log ends.
_OF_EVERY_RUN = "log_ends_early"
# Nobody comes to the place again: it is told once, as the run that passes it has it.
_IN_PASSING = "log_begins_later"
# A round that had begun when the finding was last met says nothing of it; the one after that does.
_ROUNDS = 2

Rounds = Mapping[str, int]


def tell(differences: Sequence[Difference], now: datetime) -> None:
    """Note the findings, within the caller's transaction. What is known needs nobody to look at it."""
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
        if not is_open:
            finding.alert_id = derived_id("reconcile alert", str(finding.id), now.isoformat())
            finding.ended_at = None
            finding.difference = difference.as_json()
            _alert(finding, difference, now)
        finding.last_seen_at, finding.rounds = now, rounds
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
    found = {name_of(place): place.rounds for place in STANDING.checked._default_manager.all()}
    return found | dict(STANDING.walks._default_manager.values_list("name", "rounds"))


def name_of(place: CheckedPlace) -> str:
    """What the rounds of a partition are counted by; of a topic that was made anew they are other ones."""
    return f"{place.stream}/{place.topic}/{place.partition}/{place.generation}"


def open_findings(since: datetime, now: datetime, without: Collection[Weight] = ()) -> list[Finding]:
    """Those that stand open and were not met since a moment: when a run began.

    Nor was one that is said to have been met at a time that is still to come.
    """
    unmet = Q(last_seen_at__lt=since) | Q(last_seen_at__gt=furthest(now))
    found = Finding.objects.filter(unmet, ended_at=None)
    return [finding for finding in found if finding.difference["weight"] not in without]


def end_read_again(slices: Iterable[Slice], since: datetime, now: datetime, cut: Collection[Weight]) -> None:
    """End what is not met any more where it stood: the offsets were read, since the run began at ``since``.

    Of the weights of which more was found than is listed nobody can say that one was not met.
    """
    read = list(slices)
    _end(open_findings(since, now, cut), lambda finding: any(_lies_in(finding, part) for part in read), now)


def end_gone_round(since: datetime, now: datetime, moving: Collection[str]) -> None:
    """End what stands at no offset and was not met although all of history and of the tables was gone through.

    That is what is ``moving``: for a round of a partition that holds nothing any more, or of what no stream stores any
    more, one would wait for ever.
    """
    rounds = rounds_done()
    Finding.objects.filter(ended_at=None, rounds={}).update(rounds=rounds)
    waited_for = {name: done for name, done in rounds.items() if name in moving}
    _end(open_findings(since, now), lambda finding: _is_gone_round(finding, waited_for), now)


def end_all(since: datetime, now: datetime) -> None:
    """End what a run over everything has not met since it began."""
    _end(open_findings(since, now), lambda _: True, now)


def keep_open(now: datetime, cut: Collection[Weight]) -> None:
    """Of these weights a run found more than it lists: nobody can say of such a finding that it was not met."""
    for weight in cut:
        of_these = Finding.objects.filter(ended_at=None, difference__weight=weight)
        of_these.update(last_seen_at=now, rounds=rounds_done())


def stands_at(finding: Finding) -> tuple[str, str, int, int, int] | None:
    """Stream, topic, partition, first and last offset of what is found by reading these again; None of all else."""
    found = finding.difference
    if not found["offsets"] or not found["topic"] or found["check"] in _OF_LOGS:
        return None
    return found["stream"], found["topic"], found["partition"], *found["offsets"]


def standing() -> Differences:
    """The differences, not the warnings, that stand open."""
    found = Finding.objects.filter(ended_at=None, difference__weight=Weight.DIFFERENCE)
    told = found.aggregate(count=Count("id"), since=Min("first_seen_at"))
    return Differences("reconcile", told["count"], told["since"])


def _lies_in(finding: Finding, part: Slice) -> bool:
    match stands_at(finding):
        case stream, topic, partition, first, last:
            return (stream, topic, partition) == part.key and part.start <= first and last < part.end
    found = finding.difference
    place = (found["stream"], found["topic"], found["partition"])
    return part.is_new and found["check"] == _OF_EVERY_RUN and place == part.key


def _is_gone_round(finding: Finding, rounds: Rounds) -> bool:
    before: Rounds = finding.rounds
    return (
        finding.difference["check"] != _IN_PASSING
        and bool(before)
        and all(rounds[name] >= done + _ROUNDS for name, done in before.items() if name in rounds)
    )


def _end(findings: Iterable[Finding], is_over: Callable[[Finding], bool], now: datetime, why: str = NOT_FOUND) -> None:
    for finding in findings:
        if is_over(finding):
            close_alert(finding.alert_id, KIND, why, now=now)
            Finding.objects.filter(pk=finding.pk).update(ended_at=now)


def _alert(finding: Finding, difference: Difference, now: datetime) -> None:
    at = f"{difference.topic}[{difference.partition}] {difference.record} {difference.offsets or difference.where}"
    raise_alert(
        KIND,
        f"{at}: {difference.says}",
        rule=f"reconcile_{difference.check}",
        evidence=difference.as_json(),
        alert_id=finding.alert_id,
        now=now,
    )
