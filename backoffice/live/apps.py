from django.apps import AppConfig


class LiveConfig(AppConfig):
    name = "backoffice.live"
    label = "live"
