"""Where each address leads."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from backoffice.live.views import page
from backoffice.metrics.watched import WATCHED

urlpatterns = [
    path("", page, name="live"),
    path(
        "sign-in",
        LoginView.as_view(template_name="access/sign_in.html", redirect_authenticated_user=True),
        name="sign-in",
    ),
    path("sign-out", LogoutView.as_view(), name="sign-out"),
    path("admin/", admin.site.urls),
    *(path(at.removeprefix("/"), view) for at, view in WATCHED.items()),
]
