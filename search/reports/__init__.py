"""Evaluations as people and programs get them: on pages, as plots, as files."""
