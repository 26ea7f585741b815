"""The providers: each module or package in here has one constant, PROVIDER, and is called by its own name."""

from importlib import import_module
from pkgutil import iter_modules

from trading.feeds.adapter import Provider


def names() -> list[str]:
    return sorted(module.name for module in iter_modules(__path__))


def provider(name: str) -> Provider:
    """The provider of one of the ``names``."""
    found: Provider = import_module(f"{__name__}.{name}").PROVIDER
    return found
