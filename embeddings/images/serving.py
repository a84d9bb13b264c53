"""What a process does that decodes for another one: see `processes`."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, Final

from PIL import Image

from embeddings.images import isolation, wanted
from embeddings.images.refusals import RefusedImage
from embeddings.images.renditions import jpeg

READY: Final = {"ready": True}


def serve(shared: int) -> None:
    """Decode what lies in shared memory, one picture for each line of stdin, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    isolation.decode_under_limits()
    _load_libraries()
    _say(READY)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            asked = wanted.read(question["wanted"])
            told, pieces = asked.packed(isolation.made_here(os.pread(shared, question["n_bytes"], 0), asked))
        except RefusedImage as refused:
            _say({"refused": [refused.code, refused.reason]})
            continue
        os.ftruncate(shared, 0)
        os.pwritev(shared, pieces, 0)
        _say({"made": told, "sizes": [len(piece) for piece in pieces]})


def _load_libraries() -> None:
    """Prepare a picture of nothing, because the first one loads libraries for some 200 ms."""
    wanted.QueryParts(input_size=32).of(jpeg(Image.new("RGB", (64, 64)), quality=85))


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
