"""Bring the learnt positions of a vision transformer to another number of patches, as PyTorch resizes pictures."""

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

# PyTorch's cubic convolution (TensorFlow's has -0.5): Keys, 1981, equation 4.
_A = -0.75


def resized(positions: NDArray[Any], n_patches: int) -> NDArray[Any]:
    """Return positions (1, 1 + n_patches, dim) for positions (1, 1 + n, dim): a class token's, then a square grid's.

    Follows `interpolate_pos_encoding` of transformers' Dinov2Model: bicubic, corners not aligned, no antialiasing.
    Raises ValueError if n or n_patches is not the square of a whole number.
    """
    n, dim = positions.shape[1] - 1, positions.shape[2]
    if n == n_patches:
        return positions
    before, after = isqrt(n), isqrt(n_patches)
    if before**2 != n or after**2 != n_patches:
        raise ValueError(f"expected square grids of positions, received {n} to bring to {n_patches}")
    grid = positions[0, 1:].reshape(before, before, dim)
    matrix = _bicubic(before, after)
    resized_grid = np.einsum("ih,jw,hwd->ijd", matrix, matrix, grid, optimize=True)
    return np.concatenate([positions[:, :1], resized_grid.reshape(1, n_patches, dim)], axis=1).astype(positions.dtype)


def _bicubic(n_in: int, n_out: int) -> NDArray[np.float64]:
    """Return the matrix (n_out, n_in) that resizes one axis; places beyond the border count as the border."""
    matrix = np.zeros((n_out, n_in))
    places = (np.arange(n_out) + 0.5) * n_in / n_out - 0.5
    first = np.floor(places).astype(int)
    for step in (-1, 0, 1, 2):
        weights = _kernel(np.abs(places - (first + step)))
        np.add.at(matrix, (np.arange(n_out), np.clip(first + step, 0, n_in - 1)), weights)
    return matrix


def _kernel(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    near = ((_A + 2) * distance - (_A + 3)) * distance**2 + 1
    far = ((_A * distance - 5 * _A) * distance + 8 * _A) * distance - 4 * _A
    return np.where(distance <= 1, near, far)
