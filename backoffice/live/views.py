"""The live page."""

import json

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from backoffice.kernel.money import MINOR_DIGITS

from .publications import PUBLICATIONS


@require_safe
@never_cache
@login_required
def page(request: HttpRequest) -> HttpResponse:
    """The numbers that this person's role sees; 403 where it sees none."""
    publications = [name for name, publication in PUBLICATIONS.items() if request.user.has_perm(publication.permission)]
    if not publications:
        raise PermissionDenied("None of your roles sees the live numbers; ask whoever administers the roles.")
    # Two is what the page takes for granted.
    digits = json.dumps({currency: digits for currency, digits in MINOR_DIGITS.items() if digits != 2})
    return render(
        request, "live/page.html", {"publications": publications, "roles": _roles(request), "minor_digits": digits}
    )


def _roles(request: HttpRequest) -> str:
    user = request.user
    return ", ".join(sorted(group.name for group in user.groups.all())) if isinstance(user, User) else ""
