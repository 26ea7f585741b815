from functools import partial

from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"

    def ready(self) -> None:
        from auditlog.registry import auditlog

        from backoffice.metrics import silence
        from backoffice.streams.consume.halting import diverting
        from backoffice.streams.tables import tidying

        from . import projections, reconciled, selectors  # noqa: F401 - importing registers projections
        from .doubts import READ_AT, take_over
        from .figures import register_figures
        from .live import register_panels, register_publications
        from .models import FeedLimit, OfferRetention
        from .suspending import Providers

        silence.register("feeds", selectors.feeds)
        diverting.register("odds-feed", Providers())
        for table in READ_AT:
            tidying.register(table, partial(take_over, table))
        register_figures()
        register_publications()
        register_panels()
        reconciled.register()
        for set_by_hand in (FeedLimit, OfferRetention):
            auditlog.register(set_by_hand)
