"""What `manage.py doctor` looks at: each check gives findings, and each finding that is not well says what to run."""
