"""Who may use an endpoint of the API."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission

if TYPE_CHECKING:  # It imports its default permissions itself.
    from rest_framework.request import Request
    from rest_framework.views import APIView


class Nobody(BasePermission):
    """For endpoints that name no permission: forgotten, they are closed and not open."""

    message = "Nobody may use this endpoint: it names no permission."

    def has_permission(self, _request: "Request", _view: "APIView") -> bool:
        return False
