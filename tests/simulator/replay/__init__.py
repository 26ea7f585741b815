"""Replays a stream of events by the rules of the contracts alone, sharing no code with what made the events."""
