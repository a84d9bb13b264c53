"""The web entry point: `gunicorn imgsim_site.wsgi`."""

import os
import threading

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imgsim_site.settings")
application = get_wsgi_application()


def _warm_up() -> None:
    """Start the services and load the default encoder, so that the first visitor does not wait for it."""
    # Here, after the application above has set Django up.
    from django.conf import settings
    from django.db import connection

    from imgsim_site import embedded
    from search import encoders

    embedded.ensure_running_for(settings)
    encoders.warm_up()
    connection.close()


threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()
