from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "compliance"

    def ready(self) -> None:
        from . import projections, reconciled  # noqa: F401 - importing registers projections

        reconciled.register()
