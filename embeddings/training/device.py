"""What a training runs on: a GPU where the backend finds one, with memory taken as it is needed, else the processor."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def choose_backend() -> None:
    """Settle the environment that Keras reads when it is first imported: TensorFlow, unless another one is named."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # By default JAX takes three quarters of a GPU's memory at once, whoever else is there.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    # Keras writes its own settings into a folder, by default in the user's home.
    os.environ.setdefault("KERAS_HOME", str(Path(tempfile.gettempdir(), f"imgsim-keras-{os.geteuid()}")))


def prepare() -> str:
    """Make the device ready and return its name, such as "CPU" or "GPU: NVIDIA H100".

    On a GPU networks compute in 16 bits and keep their weights in 32.
    """
    import keras  # after `choose_backend`

    name = _tensorflow_gpu() if keras.backend.backend() == "tensorflow" else _jax_gpu()
    if name:
        is_jax = keras.backend.backend() == "jax"
        keras.mixed_precision.set_global_policy("mixed_bfloat16" if is_jax else "mixed_float16")
    return f"GPU: {name}" if name else "CPU"


def _tensorflow_gpu() -> str:
    import tensorflow

    gpus = tensorflow.config.list_physical_devices("GPU")
    for gpu in gpus:
        tensorflow.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return ""
    return str(tensorflow.config.experimental.get_device_details(gpus[0]).get("device_name", "unnamed"))


def _jax_gpu() -> str:
    import jax

    device = jax.devices()[0]
    return str(device.device_kind) if device.platform == "gpu" else ""
