from django.apps import AppConfig


class StreamsConfig(AppConfig):
    name = "backoffice.streams"
    label = "streams"
