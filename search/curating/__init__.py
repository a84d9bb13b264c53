"""What keepers of datasets do with images: look through them, select, label, move, copy, throw away, take back."""
