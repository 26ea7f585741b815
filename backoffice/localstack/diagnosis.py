"""Why a server does not start, read out of its own words: what happened, what may be deleted, what that loses."""

import re
from pathlib import Path

from .layout import cache_folder
from .parts.base import Server

_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_TAKEN = re.compile(r"Address already in use|seems to be in use by another process")
_DENIED = re.compile(r"Permission denied|AccessDeniedException")
_JARS = re.compile(
    r"Could not find or load main class|NoClassDefFoundError|ClassNotFoundException|ZipException|jarfile"
)
_TELLING = re.compile("PANIC|FATAL|ERROR|Exception|rror:")


def explanation(server: Server, words: str) -> str | None:
    """One line for a person, or None where nothing in the words is known."""
    cannot = f"{server.title} cannot run"
    if _FULL.search(words):
        return f"{cannot}: the disk of {server.folder} is full. Free some space and start again; delete nothing in it."
    if _TAKEN.search(words):
        return f"{cannot}: a port of it is taken by another program. Start again: another port is chosen then."
    if _DENIED.search(words):
        return (
            f"{cannot}: it may not read or write a file below {server.folder}. Start it as the user who started it"
            f" before, or give yourself all of that folder with chown. {server.giving_up()}"
        )
    if _JARS.search(words):
        return f"{cannot}: its program is torn. Delete {cache_folder()}; it is downloaded again, and nothing is lost."
    for harm in server.harms:
        if found := harm.pattern.search(words):
            happened = found.expand(harm.happened)
            return f"{cannot}: {happened}. {found.expand(harm.mend) if harm.mend else server.giving_up()}"
    return None


def last_words(words: str, log: Path) -> str:
    """The most telling line, for where there is no explanation."""
    lines = words.strip().splitlines()
    telling = [line for line in lines if _TELLING.search(line)] or lines or ["it said nothing"]
    return f"{telling[-1][-200:]} (all of it: {log})"
