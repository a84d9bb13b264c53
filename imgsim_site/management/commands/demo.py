"""Start the whole site on this machine and keep it in the foreground; what `make demo` calls."""

import os
import sys
from pathlib import Path

from django.core.management.base import CommandError, CommandParser

from imgsim_site.demo.errors import DemoError
from imgsim_site.demo.run import Demo
from search.management.site_command import SiteCommand
from search.paths import NoSuchHome, user_path


class Command(SiteCommand):
    """The door to `imgsim_site.demo`."""

    help = "Prepare everything, start the web server and the workers, and stay until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 opens it to the network")
        parser.add_argument("--port", type=int, default=8000, help="port to listen at (default: 8000)")
        parser.add_argument("--photos", type=Path, help="a folder of your own pictures to import")

    def handle(self, *, host: str, port: int, photos: Path | None, **options: object) -> None:
        try:
            folder = user_path(photos).resolve() if photos else None
            if folder is not None and not os.access(folder, os.R_OK):
                raise CommandError(f"{photos} does not exist, or may not be read.")
            Demo(host=host, port=port, photos=folder).run()
        except (DemoError, NoSuchHome) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(0)  # the way to end it
