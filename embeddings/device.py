"""What Keras runs on: a GPU where its backend finds one, with memory taken as it is needed, else the processor.

Keras on TensorFlow, or on JAX where KERAS_BACKEND says so.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

# NVIDIA's Ampere, the first with units for bfloat16.
_LEAST_CAPABILITY = (8, 0)


@dataclass(frozen=True, kw_only=True)
class Device:
    """name: such as "CPU" or "NVIDIA H100". policy: Keras' dtype policy that suits training on it.

    Where there are units for bfloat16, networks compute in it and keep their weights in float32. Its range is that of
    float32, so no loss has to be scaled.
    """

    name: str
    is_gpu: bool
    policy: str = "float32"


def choose_backend() -> None:
    """Settle the environment that Keras reads when it is first imported: TensorFlow, unless another one is named."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # By default JAX takes three quarters of a GPU's memory at once, whoever else is there.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    # Keras writes its own settings into a folder, by default in the user's home.
    os.environ.setdefault("KERAS_HOME", str(Path(tempfile.gettempdir(), f"imgsim-keras-{os.geteuid()}")))


def find() -> Device:
    """Return the first device of Keras' backend and make it ready. Imports Keras: call `choose_backend` before."""
    import keras

    found = _of_tensorflow() if keras.backend.backend() == "tensorflow" else _of_jax()
    if found is None:
        return Device(name="CPU", is_gpu=False)
    name, capability = found
    return Device(name=name, is_gpu=True, policy="mixed_bfloat16" if capability >= _LEAST_CAPABILITY else "float32")


def _of_tensorflow() -> tuple[str, tuple[int, ...]] | None:
    import tensorflow

    gpus = tensorflow.config.list_physical_devices("GPU")
    for gpu in gpus:
        tensorflow.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return None
    details = tensorflow.config.experimental.get_device_details(gpus[0])
    return str(details.get("device_name", "a GPU")), tuple(details.get("compute_capability") or ())


def _of_jax() -> tuple[str, tuple[int, ...]] | None:
    import jax

    device = jax.devices()[0]
    if device.platform != "gpu":
        return None
    capability = str(getattr(device, "compute_capability", ""))
    return str(device.device_kind), tuple(int(part) for part in capability.split(".") if part.isdigit())
