"""Read the arrays in a `.safetensors` file, a format that holds arrays and nothing else."""

from pathlib import Path

import ml_dtypes  # noqa: F401 -- gives numpy bfloat16
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from embeddings.torch_files import Arrays, UnreadableWeights


def read_safetensors(path: Path) -> Arrays:
    """Return the arrays by name as float32. Raises UnreadableWeights for a file that is damaged or something else."""
    try:
        return {name: np.asarray(array, dtype=np.float32) for name, array in load_file(path).items()}
    except (SafetensorError, TypeError, KeyError) as error:
        raise UnreadableWeights(f"not a readable safetensors file: {error}") from error
