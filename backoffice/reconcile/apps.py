from django.apps import AppConfig


class ReconcileConfig(AppConfig):
    name = "backoffice.reconcile"
    label = "reconcile"

    def ready(self) -> None:
        from backoffice.metrics import differences, rollup

        from .books import BY_THE_CLOCK, OF_EVERYTHING
        from .telling import standing

        differences.register("reconcile", standing)
        # What is expected of the windows is added up to hours and days with them.
        for books in (BY_THE_CLOCK, OF_EVERYTHING):
            rollup.register(books.windows)
