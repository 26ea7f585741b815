"""One module for each place that Pitboss runs in; ``base`` is what they share."""

from pathlib import Path


def default() -> str:
    """The settings of a command that names none: this machine's where `make run` was, else those for real use.

    So nothing runs anywhere with the settings of a developer's machine because a variable was forgotten.
    """
    here = Path(__file__).resolve().parents[2] / ".local" / "run" / "environ"
    return "backoffice.settings.local" if here.exists() else "backoffice.settings.production"
