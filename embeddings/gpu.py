"""Run an installed network with Keras on a GPU. In a process that uses this, TensorFlow or JAX is loaded."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embeddings import device

if TYPE_CHECKING:
    import keras

# The largest that is tried; where it does not fit, its half is, and so on.
MOST_AT_ONCE = 256


class NoGpu(RuntimeError):
    """There is no GPU that Keras' backend can use."""


class GpuNetwork:
    """A network on the GPU, called as `embeddings.runtime.CpuNetwork` is. Safe to share between threads.

    It computes in float32, because vectors of one encoder have to be the same wherever they were made: in bfloat16
    those of MobileNetV2 are another picture's.
    """

    def __init__(self, network: keras.Model, *, most_at_once: int = MOST_AT_ONCE) -> None:
        """Take a network that is where it shall be run."""
        self._network = network
        self._widths = [int(output.shape[-1]) for output in network.outputs]
        self._most = most_at_once
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path) -> GpuNetwork:
        """Return the network in a `.keras` file, on the GPU. Raises NoGpu."""
        device.choose_backend()
        if not device.find().is_gpu:
            raise NoGpu("Keras finds no GPU")
        # After the backend is chosen.
        from embeddings import networks

        return cls(networks.load(path))

    def run(self, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return one float32 array (n, width) for each output of the network, for uint8 images (n, s, s, 3)."""
        outputs = [np.empty((len(images), width), np.float32) for width in self._widths]
        start = 0
        # Callers take turns: while one has the GPU, the others decode.
        with self._lock:
            while start < len(images):
                chosen = images[start : start + self._most]
                try:
                    received = self._predicted(chosen)
                except Exception as error:
                    if not _is_out_of_memory(error) or self._most == 1:
                        raise
                    self._most //= 2
                    continue
                for output, part in zip(outputs, received, strict=True):
                    output[start : start + len(chosen)] = part[: len(chosen)]
                start += len(chosen)
        return outputs

    def _predicted(self, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Run one batch, filled up to a power of two: each other number of pictures would be compiled anew."""
        n = 1 << (len(images) - 1).bit_length()
        filled = np.concatenate([images, np.zeros((n - len(images), *images.shape[1:]), np.uint8)])
        received = self._network.predict_on_batch(filled)
        return received if isinstance(received, list) else [received]


def _is_out_of_memory(error: Exception) -> bool:
    # TensorFlow and JAX have no common class for it, and both say it in these words of theirs.
    return "RESOURCE_EXHAUSTED" in str(error) or type(error).__name__ == "ResourceExhaustedError"
