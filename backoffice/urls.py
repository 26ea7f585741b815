"""Where each address leads."""

from django.contrib import admin
from django.urls import path

from backoffice.metrics.exporting import metrics
from backoffice.metrics.health import facts, live, ready

urlpatterns = [
    path("admin/", admin.site.urls),
    path("health/live", live),
    path("health/ready", ready),
    path("health/facts", facts),
    path("metrics", metrics),
]
