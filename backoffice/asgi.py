"""The web's entry point."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings.production")
# First, for it loads the apps that everything else is made of.
pages = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from channels.sessions import CookieMiddleware  # noqa: E402
from django.conf import settings  # noqa: E402

from backoffice.metrics.watched import Watched  # noqa: E402
from backoffice.routing import websocket_urlpatterns  # noqa: E402
from backoffice.web.admission import Admission  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": Watched(Admission(pages, settings.WEB)),
        "websocket": AllowedHostsOriginValidator(CookieMiddleware(URLRouter(websocket_urlpatterns))),
    }
)
