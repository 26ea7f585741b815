from django.apps import AppConfig


class MetricsConfig(AppConfig):
    name = "backoffice.metrics"
    label = "metrics"

    def ready(self) -> None:
        from backoffice.streams.tables import tidying

        from . import rollup
        from .live import register_panels, register_publications
        from .windows import WINDOW

        tidying.register(WINDOW, rollup.roll_successor)
        register_publications()
        register_panels()
