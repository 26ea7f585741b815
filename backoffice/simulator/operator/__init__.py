"""A believable operator: players with habits, casino, wallet and bets, generated in columns.

One engine for history and for live. Time is cut into slices; in a slice step j is the j-th act of every player who is
there, done for all of them at once. What is drawn follows from the seed, the player and the moment alone, so that a
fault changes nothing but what it touches.
"""
