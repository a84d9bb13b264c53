"""Work that takes long: jobs, the queue and what is sent again when it forgets, workers of a command's own.

Imports nothing by itself: `child_process` has to be imported before Django is set up.
"""
