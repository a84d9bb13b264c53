"""Evaluation: how good the site's own search is on the labels of a dataset, what its distances are worth, and whether
its indexes still find the nearest."""
