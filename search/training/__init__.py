"""Training: labelled images of a dataset in, an encoder out, inactive until somebody chooses it."""
