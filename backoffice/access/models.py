"""What the access rules keep of themselves."""

from django.db import models


class PermissionChanges(models.Model):
    """How often anybody's permissions were changed: the sum over all rows grows with each change that is committed.

    Triggers on Django's tables count, whoever changes them. There are several rows, so that two who change permissions
    at the same time need not wait for each other.
    """

    slot = models.SmallIntegerField(primary_key=True)
    number = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.number} in slot {self.slot}"
