from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "backoffice.access"
    label = "access"

    def ready(self) -> None:
        from auditlog.registry import auditlog
        from django.contrib.auth.models import Group, User

        auditlog.register(User, exclude_fields=["last_login"], mask_fields=["password"], m2m_fields={"groups"})
        auditlog.register(Group, m2m_fields={"permissions"})
