"""Where each address leads."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from backoffice.live.views import page
from backoffice.metrics.exporting import metrics
from backoffice.metrics.health import facts, live, ready

urlpatterns = [
    path("", page, name="live"),
    path(
        "sign-in",
        LoginView.as_view(template_name="access/sign_in.html", redirect_authenticated_user=True),
        name="sign-in",
    ),
    path("sign-out", LogoutView.as_view(), name="sign-out"),
    path("admin/", admin.site.urls),
    path("health/live", live),
    path("health/ready", ready),
    path("health/facts", facts),
    path("metrics", metrics),
]
