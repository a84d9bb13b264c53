"""Duplicates inside galleries: found through indexes and looked at, in groups with the best to keep, and decided."""
