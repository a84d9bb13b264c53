"""A dataset as files: its labels, its vectors, its pictures."""
