"""PostgreSQL, Valkey, Kafka and the schema registry as child processes, for `make run`, tests and benchmarks.

``stack.running_stack`` is the way in for code, ``python -m backoffice.localstack`` the one for people. Everything a
stack writes lies under one data folder, every port is on the loopback address, and nothing outlives the process that
started it.
"""
