"""The live page."""

import json

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from backoffice.kernel.money import MINOR_DIGITS

from .panels import PANELS, laid_out
from .publications import PUBLICATIONS


@require_safe
@never_cache
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """The panels that this person's role sees; 403 where it sees none."""
    panels = [each for each in PANELS.values() if request.user.has_perm(PUBLICATIONS[each.publication].permission)]
    if not panels:
        raise PermissionDenied("None of your roles sees the live numbers; ask whoever administers the roles.")
    context = {
        "panels": panels,
        "areas": laid_out(panels),
        "styles": dict.fromkeys(panel.style for panel in panels if panel.style),
        "modules": " ".join(static(panel.module) for panel in panels),
        "roles": _roles(request),
        # Two is what the page takes for granted.
        "minor_digits": json.dumps({currency: digits for currency, digits in MINOR_DIGITS.items() if digits != 2}),
    }
    return render(request, "live/page.html", context)


def _roles(request: HttpRequest) -> str:
    user = request.user
    return ", ".join(sorted(group.name for group in user.groups.all())) if isinstance(user, User) else ""
