"""Pitboss: the back office of an online betting and casino operator."""
