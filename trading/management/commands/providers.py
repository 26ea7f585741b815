"""`manage.py providers list|release`."""

from argparse import ArgumentParser
from typing import Any

from backoffice.commands import OperatorCommand
from backoffice.streams.management.operators import acting, add_operator
from trading import suspending
from trading.models import ProviderSuspension
from trading.selectors import newest_runs


class Command(OperatorCommand):
    help = "Look at providers whose markets are suspended or left shut by a run of their feed, or end a suspension."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="those that are suspended and why; the newest run of each feed")
        releasing = acts.add_parser("release", help="end it; each market opens when it is told anew")
        releasing.add_argument("provider")
        releasing.add_argument("--reason", required=True, help="why; it stays with the act")
        add_operator(releasing)

    def handle(self, *, act: str, **options: Any) -> None:
        if act == "list":
            self._list()
        else:
            self._release(options)

    def _list(self) -> None:
        found = ProviderSuspension.objects.filter(ended_at=None).order_by("since", "pk")
        for each in found:
            self.stdout.write(f"{each.provider}  since {each.since:%Y-%m-%d %H:%M:%S}  {each.cause}  {each.reason}")
        if not found:
            self.stdout.write("No provider is suspended.")
        for run in newest_runs():
            of = f"its feed {run.subscription}" if run.subscription else "its feed"
            left = (
                f"{run.shut:,} open markets are shut until they are told anew" if run.shut else "no market is left shut"
            )
            self.stdout.write(f"{run.provider}  {of} began anew at {run.began_at:%Y-%m-%d %H:%M:%S}  {left}")

    def _release(self, options: dict[str, Any]) -> None:
        provider = options["provider"]
        causes = suspending.release(provider, reason=options["reason"], **acting(options))
        self.stdout.write(
            f"{provider} is released ({', '.join(causes)}); each of its markets opens when it is told anew."
        )
        if ProviderSuspension.Cause.SILENCE in causes:
            self.stdout.write(
                "Where it is silent beyond its limits all the same, it is suspended again within seconds."
            )
        if ProviderSuspension.Cause.BAD_MESSAGES in causes:
            self.stdout.write(
                "Its bad messages are still diverted until few come, or you end that with `streams resume`."
            )
