"""What can be wrong with the files of a server."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Harm:
    """Something a server says when it cannot start.

    ``happened`` and ``mend`` may name groups of the pattern. Without a ``mend`` the server's folder has to be given up.
    """

    pattern: re.Pattern[str]
    happened: str
    mend: str = ""


def harm(pattern: str, happened: str, mend: str = "") -> Harm:
    return Harm(re.compile(pattern), happened, mend)
