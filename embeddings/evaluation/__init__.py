"""How good a search is, from arrays: rankings to full depth, measures with intervals, calibration. No rows, no SQL."""
