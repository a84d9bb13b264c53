"""Installing an encoder: its files by `embeddings.install`, then its row."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from embeddings import images, sample, specs
from embeddings import install as files
from search import encoders
from search.models import Encoder

# On so many photographs the network is compared with what was exported from it.
N_COMPARED = 32


def install(name: str, weights: Path | None, report: Callable[[str], None]) -> Encoder:
    """Install an encoder's files, where they are not there yet, and make its row. The first one becomes the default.

    Raises what embeddings.install.install raises; a row is made only for files that passed.
    """
    spec = specs.spec_for(name)
    installed = files.install(
        name,
        Path(settings.ENCODERS_ROOT) / name,
        weights_path=weights,
        sample_images=_photographs(spec.input_size),
        report=report,
    )
    facts = {
        "family": spec.family,
        "dim": spec.dim,
        "distance": spec.distance,
        "spec": {"input_size": spec.input_size, "n_classes": spec.n_classes, "description": spec.description},
        "weights_sha256": installed.weights_sha256,
    }
    # What gives tags is of use for every picture that comes in.
    encoder, _ = Encoder.objects.update_or_create(
        name=name, defaults=facts, create_defaults={**facts, "name": name, "embeds_imports": bool(spec.n_classes)}
    )
    if not Encoder.objects.filter(is_default=True).exists():
        encoders.set_default(encoder)
        encoder.refresh_from_db()
    return encoder


def _photographs(input_size: int) -> NDArray[np.uint8]:
    """Return real photographs as the network takes them: uint8 (n, input_size, input_size, 3)."""
    pictures = islice(sample.photographs(), N_COMPARED)
    return np.stack(
        [images.prepare(picture.content, input_size=input_size, thumbnail=False).input for picture in pictures]
    )
