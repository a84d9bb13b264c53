"""Train in a process of its own: `python -m embeddings.training FOLDER`.

FOLDER holds `config.json` and `samples.csv`; started again after a kill, the run goes on. Each line of stdout is a JSON
object with an "event". Exit status: 0 the encoder is in FOLDER/encoder, 3 stopped by SIGTERM, 1 an "error" says why.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from embeddings.device import choose_backend

STOPPED = 3


def main(arguments: list[str]) -> int:
    """Run or go on with the training in the folder named by the only argument; return the exit status."""
    choose_backend()
    stop, parent = threading.Event(), os.getppid()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    # Ctrl-C is for the command that started this, which then sends SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # After the backend is chosen: both import Keras.
    from embeddings.training import loop, session

    try:
        # Whoever started this and was killed wants no more of it either.
        session.train(Path(arguments[0]), tell, lambda: stop.is_set() or os.getppid() != parent)
    except loop.Stopped:
        tell({"event": "stopped"})
        return STOPPED
    except Exception as error:  # whatever it is, whoever waits for this process is told
        tell({"event": "error", "message": f"{error}" or type(error).__name__, "kind": type(error).__name__})
        raise
    return 0


def tell(event: dict[str, Any]) -> None:
    """Write one event as one line."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
