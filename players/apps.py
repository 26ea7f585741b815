from django.apps import AppConfig


class PlayersConfig(AppConfig):
    name = "players"

    def ready(self) -> None:
        from . import projections, reconciled  # noqa: F401 - importing registers projections

        reconciled.register()
