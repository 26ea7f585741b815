"""Who acts by a command, and when."""

import getpass
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from backoffice.kernel.actor import Actor
from backoffice.streams.clocks import PostgresClock


def add_operator(parser: ArgumentParser) -> None:
    parser.add_argument("--by", default=getpass.getuser(), help="who does it")


def acting(options: Mapping[str, Any]) -> dict[str, Any]:
    """The ``actor`` and the ``now`` of an act."""
    return {"actor": Actor(options["by"], "operator"), "now": PostgresClock().now()}
