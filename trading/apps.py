from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        from backoffice.metrics import silence

        from . import projections, selectors  # noqa: F401 - importing registers projections

        silence.register("feeds", selectors.feeds)
