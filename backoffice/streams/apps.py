from django.apps import AppConfig
from django.db.models.signals import post_migrate


class StreamsConfig(AppConfig):
    name = "backoffice.streams"
    label = "streams"

    def ready(self) -> None:
        # Tasks that are sent from the web or a command have to find the application.
        from backoffice import celery  # noqa: F401

        from . import checks  # noqa: F401
        from .jobs import note_known

        post_migrate.connect(note_known, sender=self)
