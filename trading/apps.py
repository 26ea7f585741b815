from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        from . import projections  # noqa: F401 - importing registers them
        from .live import register_topics

        register_topics()
