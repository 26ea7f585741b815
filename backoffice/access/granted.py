"""Who may do what, asked for many people at once, and whether that has changed."""

from collections import defaultdict
from collections.abc import Collection

from django.contrib.auth.models import Permission, User
from django.db.models import BigIntegerField, Subquery, Sum, Value

from .models import PermissionChanges

# Of the same epoch are the same permissions of everybody. A change shows in it when it is committed.
EPOCH = Subquery(
    PermissionChanges.objects.values(all=Value(True)).annotate(epoch=Sum("number")).values("epoch"),
    output_field=BigIntegerField(),
)
_DIRECT, _BY_GROUP = "user_permissions", "groups__permissions"


def permissions_of(users: Collection[User]) -> dict[int, frozenset[str]]:
    """What Django's own backend says of each of these active users, as ``app.codename``.

    Two statements whatever their number, and one more where there is a superuser, who may do everything.
    """
    found: dict[int, set[str]] = defaultdict(set)
    for way in (_DIRECT, _BY_GROUP):
        rows = User.objects.filter(pk__in=[user.pk for user in users], **{f"{way}__isnull": False})
        for number, app, codename in rows.values_list(
            "pk", f"{way}__content_type__app_label", f"{way}__codename"
        ).distinct():
            found[number].add(f"{app}.{codename}")
    everything = _all() if any(user.is_superuser for user in users) else frozenset()
    return {user.pk: everything if user.is_superuser else frozenset(found[user.pk]) for user in users}


def _all() -> frozenset[str]:
    rows = Permission.objects.values_list("content_type__app_label", "codename")
    return frozenset(f"{app}.{codename}" for app, codename in rows)
