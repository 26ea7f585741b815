"""The log's side, by an opinion of its own: messages of a range of offsets, decoded and checked one at a time."""
