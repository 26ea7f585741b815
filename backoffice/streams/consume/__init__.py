"""From a Kafka topic to a sink: reading, decoding, halting, and starting again from where the sink is."""
