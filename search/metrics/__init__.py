"""What monitoring reads at `/metrics`: the site as rows and queue tell it, and what this process has counted."""
