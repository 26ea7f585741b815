"""A run on its way: what it reads, in which steps, and how far it has come."""
