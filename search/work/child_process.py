"""What runs in a process that `local_workers` spawns. Imports no rows: they need a Django that is set up first."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import django

from embeddings.images import isolation

if TYPE_CHECKING:
    from search.embedding import Outcome


def begin() -> None:
    """Set up Django, for an encoder of one thread and pictures that may take only so much."""
    # Ctrl-C ends the command, which then ends its processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    isolation.decode_under_limits()
    django.setup()
    from search import encoders  # here, as the first line of this file says

    encoders.use_threads(1)


def embed(encoder_id: int, image_ids: list[int]) -> Outcome:
    """Embed a batch."""
    from search import embedding  # here, as above
    from search.models import Encoder

    return embedding.embed(Encoder.objects.get(pk=encoder_id), image_ids)
