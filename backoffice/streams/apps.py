from django.apps import AppConfig


class StreamsConfig(AppConfig):
    name = "backoffice.streams"
    label = "streams"

    def ready(self) -> None:
        # Tasks that are sent from the web or a command have to find the application.
        from backoffice import celery  # noqa: F401

        from . import checks  # noqa: F401
