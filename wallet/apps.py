from django.apps import AppConfig


class WalletConfig(AppConfig):
    name = "wallet"

    def ready(self) -> None:
        from . import projections, reconciled  # noqa: F401 - importing registers projections

        reconciled.register()
