"""What is known of the quality of answers: what distances are worth, and how many of the nearest an index finds."""
