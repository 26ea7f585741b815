from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "backoffice.live"
    label = "live"

    def ready(self) -> None:
        from backoffice.streams.store.announcing import after_commit

        from . import bus

        after_commit(lambda _: bus.beat(), missed=bus.miss, idle=bus.beat)
