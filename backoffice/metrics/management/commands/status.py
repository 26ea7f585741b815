"""`manage.py status`: what moves, what waits, what is wrong."""

import json
import shutil
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import CommandError
from django.db import Error, connection

from backoffice.commands import OperatorCommand, sentence
from backoffice.metrics.figures import FIGURES
from backoffice.metrics.health import answers
from backoffice.metrics.machine import as_document
from backoffice.metrics.screen import as_screen
from backoffice.metrics.status import Status, read_status

_TOP, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_HIDE_CURSOR, _SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"

Parts = Mapping[str, str]
# A text in place of the status says why there is none.
Form = Callable[[Status | str, Parts], str]


class Command(OperatorCommand):
    help = "Events, lag, dead letters, silent feeds, GGR, payments, logins and players of this moment, with their ages."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, help="again every so many seconds, until Ctrl-C")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--line", action="store_true", help="on one line")
        form.add_argument("--json", action="store_true", help="for machines, one object a line")

    def handle(self, *, every: float | None, line: bool, json: bool, **_: Any) -> None:
        form = as_json if json else as_line if line else _screen
        in_place = every is not None and form is _screen and self.stdout.isatty()
        try:
            self._tell(form, every, self._redraw if in_place else self.stdout.write)
        except KeyboardInterrupt:
            return
        finally:
            if in_place:
                self.stdout.write(_SHOW_CURSOR, ending="")

    def _tell(self, form: Form, every: float | None, write: Callable[[str], object]) -> None:
        while True:
            parts = answers()
            status = _read()
            write(form(status, parts))
            if every is None:
                break
            threading.Event().wait(every)
        if isinstance(status, str):
            raise CommandError(f"There are no numbers without Postgres. {status}")

    def _redraw(self, screen: str) -> None:
        """Over what stands there already; what the terminal has no room for is said to be missing."""
        room = shutil.get_terminal_size().lines - 1
        lines = screen.split("\n")
        if len(lines) > room:
            lines = [*lines[: room - 1], f"… {len(lines) - room + 1} more lines; make the window higher"]
        shown = "".join(f"{line}{_END_OF_LINE}\n" for line in lines)
        self.stdout.write(_HIDE_CURSOR + _TOP + shown + _BELOW, ending="")
        self.stdout.flush()


def _read() -> Status | str:
    """What Postgres says in place of answering, as long as it does not; the next one asks on a new connection."""
    try:
        return read_status()
    except Error as error:
        connection.close()
        return sentence(error)


def _screen(status: Status | str, parts: Parts) -> str:
    return as_screen(status, parts, shutil.get_terminal_size().columns)


def as_line(status: Status | str, parts: Parts) -> str:
    away = "".join(f"  {name.upper()} {said}" for name, said in parts.items() if said != "ok")
    if isinstance(status, str):
        return f"no numbers without Postgres{away}"
    figures = "".join(
        f"  {each.brief(status.figures[name])}"
        for name, each in FIGURES.items()
        if each.brief and name in status.figures
    )
    halted = f"  HALTED {', '.join(status.halted)}" if status.halted else ""
    halted += f"  DIVERTED {', '.join(status.diverted)}" if status.diverted else ""
    halted += f"  STALLED {', '.join(status.stalled)}" if status.stalled else ""
    halted += f"  OVERDUE {', '.join(status.overdue)}" if status.overdue else ""
    open_differences = sum(each.differences.count for each in status.differences)
    warnings = sum(each.warnings.count for each in status.differences)
    halted += f"  DIFFERENCES {open_differences:,}" if open_differences else ""
    halted += f"  WARNINGS {warnings:,}" if warnings else ""
    halted += f"  UNSENT ALERTS {len(status.unsent_alerts):,}" if status.unsent_alerts else ""
    halted += f"  SKIPPED {', '.join(status.skipped)}" if status.skipped else ""
    halted += "  METRICS HIDDEN" if status.hidden_metrics else ""
    halted += f"  UNREAD {', '.join(status.unread)}" if status.unread else ""
    silent = sum(source.silent for source in status.sources)
    events = "?" if "events_per_second" in status.unread else f"{status.events_per_second:,.0f}"
    dead_letters = "?" if status.dead_letters is None else f"{status.dead_letters:,}"
    return (
        f"{events} events/s  lag {_lag(status)}"
        f"  dead letters {dead_letters}{f'  silent markets {silent:,}' if silent else ''}"
        f"{figures}{halted}{away}"
    )


def _lag(status: Status) -> str:
    return "?" if status.lag_by_topic is None else f"{sum(status.lag.values()):,}"


def as_json(status: Status | str, parts: Parts) -> str:
    return json.dumps({"parts": parts} | ({"error": status} if isinstance(status, str) else as_document(status)))
