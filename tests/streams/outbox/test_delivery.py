"""What a producer says when it has stopped is understood in whatever shape it comes."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from backoffice.streams.outbox.delivery import _StoppedError, _until_it_stops

FATAL = KafkaError(KafkaError._FATAL, "unable to satisfy gap-less guarantee", True)


@pytest.mark.parametrize("raised", [FATAL, KafkaException(FATAL)], ids=["the error itself", "an exception"])
def test_a_producer_that_has_stopped_is_known_by_its_error(raised: Exception) -> None:
    with pytest.raises(_StoppedError, match="gap-less"), _until_it_stops():
        raise raised


def test_what_does_not_stop_it_is_left_as_it_is() -> None:
    with pytest.raises(KafkaException), _until_it_stops():
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, "a broker is away"))
