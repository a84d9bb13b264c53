"""The log's lines: which request and task they belong to, and how they are written, by the standard library alone."""
