"""Messages to Kafka that leave with the change that they tell of."""
