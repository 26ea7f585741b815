"""One server per file: how it is prepared, started, asked for its health."""
