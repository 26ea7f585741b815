from django.apps import AppConfig


class PlayersConfig(AppConfig):
    name = "players"

    def ready(self) -> None:
        from . import projections, reconciled  # noqa: F401 - importing registers projections
        from .figures import register_figures
        from .live import register_panels

        register_figures()
        register_panels()
        reconciled.register()
