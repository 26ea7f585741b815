"""Where each address of a WebSocket leads."""

from typing import Any, cast

from django.urls import path

from backoffice.kernel.clock import SystemClock
from backoffice.live.conditions import HERE
from backoffice.live.connection import live_socket
from backoffice.live.hub import Hub

# Django's `path` is written for views.
websocket_urlpatterns = [path("live", cast(Any, live_socket(Hub(SystemClock(), HERE))))]
