"""Files on disk: written whole, removed with their rows, uploaded up to a limit."""
