"""What traders set by hand."""

from django.contrib import admin
from django.http import HttpRequest

from .models import FeedLimit, OfferRetention


class Dated(admin.ModelAdmin):  # type: ignore[type-arg]
    """Limits are followed by others, never changed: what was an alarm last week stays one."""

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002
        return False


@admin.register(FeedLimit)
class FeedLimitAdmin(Dated):
    list_display = ("provider", "valid_from", "any_market", "in_play", "before_start", "soon", "given_up_after")
    ordering = ("provider", "-valid_from")


@admin.register(OfferRetention)
class OfferRetentionAdmin(Dated):
    list_display = ("valid_from", "closed_for")
    ordering = ("-valid_from",)
