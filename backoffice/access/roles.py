"""What each role may do. A role is a Django group; apps grant permissions to roles in ``AppConfig.ready()``."""

from collections import defaultdict

from django.contrib.auth.models import Group, Permission
from django.db import transaction

TRADER = "trader"
OPERATIONS = "operations"
COMPLIANCE = "compliance"
ROLES = (TRADER, OPERATIONS, COMPLIANCE)

_GRANTS: dict[str, set[str]] = defaultdict(set)


def grant(permission: str, *roles: str) -> None:
    """Give ``app.codename`` to the roles; it takes effect with `make_groups`."""
    for role in roles:
        _GRANTS[role].add(permission)


def make_groups() -> None:
    """A group for each role with all that was granted to it; what an administrator added stays.

    Raises:
        Permission.DoesNotExist: a permission is granted that no model has.
    """
    with transaction.atomic():
        for role in ROLES:
            group, _ = Group.objects.get_or_create(name=role)
            group.permissions.add(*map(_permission, sorted(_GRANTS[role])))


def _permission(name: str) -> Permission:
    app, _, codename = name.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)
