"""Run the demo on one port without encoders and pictures: its start, its end and its processes are what is tested.

`python -m tests.site.bare_demo PORT`; it counts as ready when it is alive.
"""

import sys

from django.core.management import execute_from_command_line

from imgsim_site.demo import address, run


def main(port: str) -> None:
    """Run `manage.py demo` with fewer preparations."""
    run.PREPARATIONS = run.PREPARATIONS[:1]
    address.READY_PATH = "/healthz"
    execute_from_command_line(["manage.py", "demo", "--port", port])


if __name__ == "__main__":
    main(sys.argv[1])
