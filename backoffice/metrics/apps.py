from django.apps import AppConfig


class MetricsConfig(AppConfig):
    name = "backoffice.metrics"
    label = "metrics"
