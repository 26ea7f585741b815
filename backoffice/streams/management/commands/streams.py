"""`manage.py streams status|resume|skip|adopt`."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from backoffice.commands import OperatorCommand
from backoffice.kernel.errors import Rejected
from backoffice.streams.consume.halting import resuming, skipping
from backoffice.streams.kafka import logs
from backoffice.streams.kafka.logs import Log
from backoffice.streams.management.lanes import must_be_a_lane, must_be_a_partition
from backoffice.streams.management.operators import acting, add_operator
from backoffice.streams.models import Diversion, Halt, Offset, Stall


class Command(OperatorCommand):
    help = "How far each stream is, and letting one go on that has stopped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("status", help="stored offsets, and what is halted, diverted or stands still")
        resume = _lane(acts.add_parser("resume", help="let a halted partition go on where it stopped"))
        resume.add_argument("partition", type=int, nargs="?")
        resume.add_argument("--all", action="store_true", help="every partition of the topic that can go on")
        resume.add_argument(
            "--accept-bad",
            action="store_true",
            help="take what is bad in the log by now as dead letters; needs --reason",
        )
        resume.add_argument("--reason", default="", help="why what is bad is accepted")
        skip = _lane(acts.add_parser("skip", help="go on behind messages that are lost; the gap is written down"))
        skip.add_argument("partition", type=int)
        skip.add_argument("--to", required=True, help=f"an offset, {skipping.BEGINNING} or {skipping.END} of the log")
        skip.add_argument("--reason", required=True, help="why")
        adopt = _lane(acts.add_parser("adopt", help="go over to a topic that was deleted and made anew"))
        adopt.add_argument("--reason", required=True, help="why")

    def handle(self, *, act: str, **options: Any) -> None:
        if act == "status":
            self._status()
            return
        stream, topic = options["stream"], options["topic"]
        must_be_a_lane(stream, topic)
        log = logs.read_log(settings.KAFKA, f"{settings.KAFKA_TOPIC_PREFIX}{topic}")
        if options.get("partition") is not None:
            must_be_a_partition(topic, options["partition"], log)
        told = {"stream": stream, "topic": topic, "log": log, **acting(options)}
        getattr(self, f"_{act}")(told, options)

    def _resume(self, told: dict[str, Any], options: dict[str, Any]) -> None:
        if (options["partition"] is None) != options["all"]:
            raise Rejected("Name one partition, or all of them with --all.")
        if options["accept_bad"] and not options["reason"]:
            raise Rejected("--accept-bad makes dead letters of all that is bad by now; say why with --reason.")
        found = resuming.resume(
            **told, partition=options["partition"], unreadable=_unreadable(told["stream"], told["topic"], told["log"]),
            accepting=options["reason"] if options["accept_bad"] else "",
        )  # fmt: skip
        if found.going_on:
            self.stdout.write(f"{_numbers(found.going_on)} of {told['topic']} go on within seconds.")
        if options["accept_bad"]:
            self.stdout.write("Bad messages that are in the log by now become dead letters, however many they are.")
        if found.refused:
            raise Rejected("\n".join(found.refused.values()))

    def _skip(self, told: dict[str, Any], options: dict[str, Any]) -> None:
        gap = skipping.skip(**told, partition=options["partition"], to=options["to"], reason=options["reason"])
        self.stdout.write(
            f"{gap.topic}[{gap.partition}] goes on at {gap.end} within seconds; {(gap.end or 0) - gap.start} offsets "
            f"from {gap.start} on are written down as a gap."
        )

    def _adopt(self, told: dict[str, Any], options: dict[str, Any]) -> None:
        gaps = skipping.adopt(**told, reason=options["reason"])
        self.stdout.write(f"{told['topic']} is stored from its beginning within seconds; written down:")
        for gap in gaps:
            self.stdout.write(f"  {gap}")

    def _status(self) -> None:
        halted = {(h.stream, h.topic, h.partition): h for h in Halt.objects.filter(resumed_at=None)}
        diverted = {(d.stream, d.topic, d.partition): d for d in Diversion.objects.filter(ended_at=None)}
        for offset in Offset.objects.order_by("stream", "topic", "partition"):
            place = (offset.stream, offset.topic, offset.partition)
            self.stdout.write(
                f"{offset.stream:<12}{offset.topic:<22}{offset.partition:>4}{offset.next:>14}"
                f"  {offset.updated_at:%Y-%m-%d %H:%M:%S}{_noted(halted.pop(place, None), diverted.get(place))}"
            )
        for halt in halted.values():
            self.stdout.write(
                f"{halt.stream:<12}{halt.topic:<22}{halt.partition:>4}{halt.offset:>14}{_noted(halt, None)}"
            )
        for stall in Stall.objects.filter(ended_at=None).order_by("noticed_at"):
            self.stdout.write(f"STANDS STILL since {stall.noticed_at:%Y-%m-%d %H:%M:%S}: {stall.told}")


def _lane(parser: ArgumentParser) -> ArgumentParser:
    parser.add_argument("stream")
    parser.add_argument("topic")
    add_operator(parser)
    return parser


def _unreadable(stream: str, topic: str, log: Log) -> dict[int, str]:
    """What Kafka says where a partition was halted because its log cannot be read, if it still cannot."""
    corrupt = Halt.objects.filter(stream=stream, topic=topic, resumed_at=None, cause=Halt.Cause.CORRUPT_LOG)
    halted = dict(corrupt.values_list("partition", "offset"))
    stored = dict(Offset.objects.filter(stream=stream, topic=topic).values_list("partition", "next"))
    found = {}
    for partition, at in (halted | {number: stored[number] for number in halted.keys() & stored.keys()}).items():
        if log.begins.get(partition, at + 1) <= at < log.ends.get(partition, 0):
            name = f"{settings.KAFKA_TOPIC_PREFIX}{topic}"
            if said := logs.complaint(settings.KAFKA, name, partition, at):
                found[partition] = said
    return found


def _noted(halt: Halt | None, diversion: Diversion | None) -> str:
    if halt is not None:
        return f"  HALTED since {halt.halted_at:%Y-%m-%d %H:%M:%S}: {halt.reason}"
    if diversion is not None:
        suspended = ", ".join(diversion.sources) or "nobody"
        return f"  DIVERTS since {diversion.begun_at:%Y-%m-%d %H:%M:%S} (suspended: {suspended}): {diversion.reason}"
    return ""


def _numbers(partitions: list[int]) -> str:
    return f"Partition{'s' if len(partitions) > 1 else ''} {', '.join(map(str, partitions))}"
