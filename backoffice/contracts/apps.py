from django.apps import AppConfig


class ContractsConfig(AppConfig):
    name = "backoffice.contracts"
    label = "contracts"
