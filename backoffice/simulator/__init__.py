"""Events of an operator's platform, made up from a seed: valid ones, and bad ones of every kind."""
