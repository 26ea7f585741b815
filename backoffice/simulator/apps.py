from django.apps import AppConfig


class SimulatorConfig(AppConfig):
    name = "backoffice.simulator"
    label = "simulator"
