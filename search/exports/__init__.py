"""A dataset as files: its labels, its vectors, its pictures; and what other files have of these."""
