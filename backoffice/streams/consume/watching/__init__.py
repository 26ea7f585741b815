"""What a lane does, seen from beside it: its state, its stalls and who blocks it."""
