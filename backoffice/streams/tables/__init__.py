"""The tables themselves: their partitions and indexes, and making one anew from Kafka."""
