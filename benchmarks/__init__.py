"""Comparisons with a floor or a peer in one run, as ratios and medians. `make bench` runs the main ones."""
