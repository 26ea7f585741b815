from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        from backoffice.metrics import silence

        from . import projections, reconciled, selectors  # noqa: F401 - importing registers projections
        from .live import register_publications

        silence.register("feeds", selectors.feeds)
        register_publications()
        reconciled.register()
