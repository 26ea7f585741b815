"""What can happen. An act changes the world and emits the events that say so, or finds nothing to do and emits none."""
