"""Many pictures as one, to look at."""

import numpy as np
from numpy.typing import NDArray

GAP = 8


def tiled(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return rows of pictures as one picture, with white gaps of 8 between them.

    pictures: uint8 (rows, columns, s, s, 3), at least one of each.
    The result is uint8 (rows * (s + 8) - 8, columns * (s + 8) - 8, 3).
    """
    n_rows, n_columns, size = pictures.shape[:3]
    framed = np.pad(pictures, ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255)
    edge = size + GAP
    return framed.swapaxes(1, 2).reshape(n_rows * edge, n_columns * edge, 3)[:-GAP, :-GAP]
