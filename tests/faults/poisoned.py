"""A worker whose decoder falls over one picture: the process is gone, or computes until its limit ends it."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from celery.__main__ import main

from embeddings.images import decoding, isolation

POISON_WIDTH = 321
KIND = sys.argv.pop(1)
_decoded = decoding.decoded


def _decode(content: bytes, **sizes: Any) -> Any:
    header, picture = _decoded(content, **sizes)
    if header.width == POISON_WIDTH:
        while KIND == "never ends":
            pass
        os.kill(os.getpid(), signal.SIGKILL)
    return header, picture


decoding.decoded = _decode
isolation.MAX_CPU_SECONDS = 2  # type: ignore[misc]

if __name__ == "__main__":
    main()
