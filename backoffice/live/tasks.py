"""The housekeeping of sessions, by which pages and sockets are opened; at any time and as often as one likes."""

from django.core.management import call_command

from backoffice.streams.jobs import clocked


@clocked("live.clear_sessions")
def clear_sessions() -> None:
    """Delete sessions that have expired; nobody can use them any more."""
    call_command("clearsessions")
