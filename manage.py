#!/usr/bin/env python
"""Run a Django command; start the embedded Postgres and Redis first for those that need them."""

import os
import signal
import sys

# These read no rows and send no tasks; `demo` starts the servers itself, in its own order.
WITHOUT_SERVERS = {
    "check",
    "collectstatic",
    "compilemessages",
    "demo",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "makemigrations",
    "startapp",
    "version",
}
BROKEN_PIPE = 128 + signal.SIGPIPE  # the status of whatever ends by it
HELP_OPTIONS = {"-h", "--help", "--version"}


def main(arguments: list[str]) -> int:
    """Run the command named by `arguments`, which begin with the program's own name; return the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imgsim_site.settings")
    # Imported here: Django reads the variable above when it is first used.
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError, ProgrammingError

    from imgsim_site import embedded

    try:
        if needs_servers(arguments):
            embedded.ensure_running_for(settings)
        try:
            execute_from_command_line(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has enough of it, as `head` has. Python would flush once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (embedded.EmbeddedServerError, ImproperlyConfigured) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except ProgrammingError as error:
        from search import failures  # with the client of Redis, which only few commands need

        if not failures.is_behind(error):
            raise
        sys.stderr.write(f"error: {failures.MIGRATE}\n")
        return 1
    except (OSError, OperationalError) as error:
        from search import failures  # as above

        if failures.status_of(error) != failures.FULL:
            raise
        sys.stderr.write(
            f"error: A disk is full: {error}. What is whole was kept. Make room, and run this again: it goes on.\n"
        )
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        return 130
    return 0


def needs_servers(arguments: list[str]) -> bool:
    """Return whether the command reads rows or sends tasks."""
    words = arguments[1:]
    return bool(words) and words[0] not in WITHOUT_SERVERS and not HELP_OPTIONS.intersection(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
