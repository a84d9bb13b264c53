"""From files to rows: where they come from, how they are labelled, and an import from request to report."""
