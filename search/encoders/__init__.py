"""From an encoder's row to the network behind it: loaded on first use, once a process, shared by its threads."""

from __future__ import annotations

import logging
import threading

import numpy as np
from django.db import transaction

from embeddings import images, specs
from embeddings.encoder import Encoder as Network
from embeddings.encoder import NoEncoder as NoEncoder
from embeddings.encoder import Processor
from search.encoders import checking
from search.models import Encoder, Job
from search.text import is_storable

logger = logging.getLogger(__name__)

_networks: dict[str, Network] = {}
_loading = threading.RLock()
_n_threads: int | None = None
_processor: Processor = "cpu"


class BrokenEncoder(NoEncoder):
    """The network gives no vectors, for whatever picture: nothing is embedded with it until somebody mends that."""


def default() -> Encoder:
    """Return the row of the default encoder. Raises NoEncoder where none is installed."""
    found = list(Encoder.objects.filter(is_default=True).order_by())  # there is one at most, and no order to ask for
    if not found:
        raise NoEncoder("No encoder is installed yet. Run: manage.py install_encoder mobilenet_v2")
    return found[0]


def by_name(name: str) -> Encoder:
    """Return an encoder's row; the default one for an empty name. Raises NoEncoder naming those that exist."""
    if not name:
        return default()
    encoder = Encoder.everything.filter(name=name).first() if is_storable(name) else None
    if encoder is None:
        known = ", ".join(Encoder.objects.values_list("name", flat=True)) or "none"
        hint = f" Run: manage.py install_encoder {name}" if name in specs.SPECS else ""
        raise NoEncoder(f"There is no encoder named {name!r}. Installed: {known}.{hint}")
    if encoder.is_being_removed:
        raise NoEncoder(f"{name} is being removed. Choose another encoder.")
    return encoder


def network(encoder: Encoder) -> Network:
    """Return the network of an encoder, loading it on first use. Raises NoEncoder where its files cannot be used."""
    # Keyed by the weights too: an encoder that is installed anew is loaded anew.
    key = f"{encoder.name}:{encoder.weights_sha256}"
    with _loading:
        if key not in _networks:
            _networks[key] = _loaded(encoder)
        return _networks[key]


def declare_broken(encoder: Encoder) -> BrokenEncoder:
    """Keep in the row of an encoder that it gives no vectors; return the error that says so."""
    error = BrokenEncoder(
        f"{encoder.name} gives no vectors that can be compared, whatever the picture. Install it anew, or choose "
        "another encoder, and embed again: the pictures wait."
    )
    if Encoder.objects.filter(pk=encoder.pk, fault="").update(fault=str(error)):
        logger.error("%s", error)
    with _loading:  # the next try is made with what then is on disk
        _networks.pop(f"{encoder.name}:{encoder.weights_sha256}", None)
    return error


def declare_mended(encoder: Encoder) -> None:
    """Let an encoder embed again: somebody has looked after it, or wants to see whether it does now."""
    Encoder.objects.filter(pk=encoder.pk).exclude(fault="").update(fault="")
    encoder.fault = ""


def is_loaded(encoder: Encoder) -> bool:
    """Return whether this process has an encoder's network in memory."""
    return f"{encoder.name}:{encoder.weights_sha256}" in _networks


def _loaded(encoder: Encoder) -> Network:
    """Load a network; a linear head shares its backbone with whoever else uses it in this process."""
    checking.check(encoder)
    backbone = _backbone(encoder)
    return Network.load(
        encoder.folder,
        n_threads=_n_threads,
        processor=_processor,
        backbone=network(backbone) if backbone else None,
    )


def _backbone(encoder: Encoder) -> Encoder | None:
    """Return what a linear head sits on; of another encoder nothing."""
    name = encoder.spec.get("backbone", "")
    return Encoder.objects.filter(name=name).first() if name else None


def check(encoder: Encoder) -> None:
    """Raise NoEncoder where an encoder is known to be broken, or its files or its backbone's are not whole.

    Quick, where no file has been touched since this process looked at it.
    """
    if encoder.fault:
        raise BrokenEncoder(encoder.fault)
    checking.check(encoder)
    if backbone := _backbone(encoder):
        checking.check(backbone)


def why_unusable(encoder: Encoder) -> str:
    """Return what is wrong with an encoder or its files, and what to do; nothing where it can be used."""
    try:
        check(encoder)
    except NoEncoder as error:
        return str(error)
    return ""


def n_threads() -> int | None:
    """Return with how many threads this process encodes; None for all cores."""
    return _n_threads


def use_threads(n_threads: int | None) -> None:
    """Say with how many threads this process encodes (None: all cores). Networks that are loaded are dropped."""
    global _n_threads
    with _loading:
        _n_threads = n_threads
        _networks.clear()


def use_processor(processor: Processor) -> None:
    """Say what this process encodes on. Only workers say "gpu": Keras has no place in the web process."""
    global _processor
    with _loading:
        _processor = processor
        _networks.clear()


def warm_up() -> None:
    """Get the default encoder and the decoder ready for a first query; say in the log why not where that fails."""
    images.warm_up()
    try:
        encoder = default()
        size = network(encoder).spec.input_size
        network(encoder).encode(np.zeros((1, size, size, 3), dtype=np.uint8))
    except NoEncoder as error:
        logger.warning("Nothing to warm up: %s", error)


def why_kept(encoder: Encoder) -> str:
    """Return why an encoder cannot be removed, or nothing where it can."""
    if encoder.is_default:
        return "it is the default one"
    heads = ", ".join(Encoder.objects.filter(spec__backbone=encoder.name).values_list("name", flat=True))
    if heads:
        return f"it is the backbone of {heads}"
    trainings = Job.objects.filter(kind=Job.Kind.TRAIN, state__in=[Job.State.WAITING, Job.State.RUNNING])
    training = trainings.filter(parameters__backbone=encoder.name).first()
    return f"job {training.pk} trains on it" if training else ""


def set_default(encoder: Encoder) -> None:
    """Make an encoder the one that answers searches, in one transaction. Raises NoEncoder where it is going."""
    with transaction.atomic():
        Encoder.objects.filter(is_default=True).exclude(pk=encoder.pk).update(is_default=False)
        if not Encoder.objects.filter(pk=encoder.pk).update(is_default=True):
            raise NoEncoder(f"{encoder.name} is being removed. Choose another encoder.")
