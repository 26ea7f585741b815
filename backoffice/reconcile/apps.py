from django.apps import AppConfig


class ReconcileConfig(AppConfig):
    name = "backoffice.reconcile"
    label = "reconcile"

    def ready(self) -> None:
        from backoffice.metrics import rollup

        from .books import OF_EVERYTHING, STANDING

        # What is expected of the windows is added up to hours and days with them.
        for books in (STANDING, OF_EVERYTHING):
            rollup.register(books.windows)
