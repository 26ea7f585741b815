"""What a request is answered that is not served: 503 while Postgres does not, with when to ask again and what was done
so far; 413 where it is too large."""

import logging

from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.exceptions import SessionInterrupted
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import Error
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers
from django.utils.deprecation import MiddlewareMixin
from prometheus_client import Counter

from backoffice.streams.database import passes

log = logging.getLogger(__name__)

UNAVAILABLE = Counter("pitboss_web_unavailable_total", "Requests that were answered with 503, by the reason.", ("why",))
RETRY_SECONDS = 5
_WHY = {
    "postgres": "Postgres does not answer, is full or busy, or somebody holds what is needed here.",
    "crowd": "Too many ask at once: all of the web's sessions of Postgres are taken.",
}
_UNCHANGED = "Nothing was changed."
_UNCERTAIN = "What you sent may have been done or not: look before you send it again."
_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


class Unavailable(MiddlewareMixin):
    """Stands for all that asks Postgres within; who asks is looked up here, before anything is begun."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        try:
            _ = request.user.is_authenticated
        except Error as error:
            return _answered(request, error, is_begun=False)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return _answered(request, error, is_begun=True)


class Sessions(SessionMiddleware):
    """Django's, which stores the session when all else is done, and tells of any failure that it was deleted."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        try:
            return super().process_response(request, response)
        except (Error, SessionInterrupted) as error:
            if (answer := _answered(request, error, is_begun=True)) is None:
                raise
            return answer


def unavailable(request: HttpRequest, why: str, *, is_begun: bool) -> HttpResponse:
    """``why`` is "postgres" or "crowd". A program is told in JSON, as the API tells errors; others a page."""
    UNAVAILABLE.labels(why).inc()
    said = [_WHY[why], *_outcome(request, is_begun=is_begun)]
    response: HttpResponse
    if _is_for_programs(request):
        response = JsonResponse({"detail": " ".join([*said, f"Ask again in {RETRY_SECONDS} seconds."])}, status=503)
    else:
        page = render_to_string("503.html", {"said": said, "seconds": RETRY_SECONDS})
        response = HttpResponse(page, status=503)
    response["Retry-After"] = str(RETRY_SECONDS)
    add_never_cache_headers(response)
    return response


def too_large(most: int) -> HttpResponse:
    """What is sent of a request that is larger is not read."""
    told = f"More than {most:,} bytes were sent, and none of it was kept. Send less at a time."
    return HttpResponse(told, status=413, content_type="text/plain; charset=utf-8")


def _outcome(request: HttpRequest, *, is_begun: bool) -> list[str]:
    """Postgres may be lost after a commit, or while it is asked for one; of what is only read there is none to tell."""
    if request.method in _SAFE:
        return []
    return [_UNCERTAIN if is_begun else _UNCHANGED]


def _is_for_programs(request: HttpRequest) -> bool:
    preferred = request.get_preferred_type(["text/html", "application/json"])
    return request.path_info.startswith("/api/") or preferred == "application/json"


def _answered(request: HttpRequest, error: Exception, *, is_begun: bool) -> HttpResponse | None:
    """None where it is an error that does not pass by itself, such as one of ours."""
    reason = _of_postgres(error)
    if reason is None:
        return None
    log.warning("Postgres did not serve a request: %s", str(reason).strip().partition("\n")[0])
    return unavailable(request, "postgres", is_begun=is_begun)


def _of_postgres(error: BaseException | None) -> BaseException | None:
    """What it came of, where that passes; Django names no cause where a session cannot be stored."""
    while error is not None and not passes(error):
        is_of_session = isinstance(error, (SessionInterrupted, UpdateError))
        error = error.__context__ if is_of_session else error.__cause__
    return error
