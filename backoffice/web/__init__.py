"""What every request meets on its way to a page: its turn, and an answer while Postgres has none."""
