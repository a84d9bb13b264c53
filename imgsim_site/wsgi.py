"""The web entry point, `imgsim_site.wsgi:application`, as `imgsim_site.web` serves it."""

import atexit
import os
import threading

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from embeddings.cores import available_cores
from embeddings.images import isolation
from imgsim_site.gate import MOST_BODY_BYTES, Gate

LONGEST_NATIVE_CALL_SECONDS = 10.0

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imgsim_site.settings")
application = Gate(get_wsgi_application(), most_bytes=settings.MAX_ARCHIVE_BYTES + MOST_BODY_BYTES)
# Whoever is served here must not be ended by what another one sends.
isolation.decode_in_processes(available_cores())


def _warm_up() -> None:
    """Start the services and load the default encoder, so that the first visitor does not wait for it."""
    # Here, after the application above has set Django up.
    from django.db import connection

    from imgsim_site import embedded
    from search import encoders
    from search.asking import explaining

    embedded.ensure_running_for(settings)
    encoders.warm_up()
    explaining.warm_up()
    connection.close()


_warming_up = threading.Thread(target=_warm_up, name="warm-up", daemon=True)
_warming_up.start()
# A process that ends while a thread is inside the runtime's libraries is aborted by them: it waits for the thread, but
# not for servers that do not start.
atexit.register(_warming_up.join, LONGEST_NATIVE_CALL_SECONDS)
