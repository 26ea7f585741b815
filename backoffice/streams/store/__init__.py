"""Postgres tables as a sink: projections of events to rows, and one transaction for the rows and the offset."""
