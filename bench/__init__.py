"""How fast Pitboss is, always beside something it can be held against in the same run."""
