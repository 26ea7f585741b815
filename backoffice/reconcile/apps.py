from django.apps import AppConfig


class ReconcileConfig(AppConfig):
    name = "backoffice.reconcile"
    label = "reconcile"
