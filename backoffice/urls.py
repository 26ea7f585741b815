"""Where each address leads."""

from django.contrib import admin
from django.urls import include, path

from backoffice.metrics.health import live, ready

urlpatterns = [
    path("admin/", admin.site.urls),
    path("health/live", live),
    path("health/ready", ready),
    path("", include("django_prometheus.urls")),
]
