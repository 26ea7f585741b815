"""What is compared: what the log says of a table, beside what stands there."""
