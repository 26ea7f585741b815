from django.apps import AppConfig


class MetricsConfig(AppConfig):
    name = "backoffice.metrics"
    label = "metrics"

    def ready(self) -> None:
        from .live import register_panels, register_publications

        register_publications()
        register_panels()
