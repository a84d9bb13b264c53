"""Where a network still has rows and columns: its exported graph is cut there, and its features laid out as a picture.

The graph is OpenVINO's, but nothing here imports it: `embeddings.runtime` does.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import openvino

Locations = NDArray[np.float32]

_CHANNELS_FIRST = (0, 1, 2, 3)
# What gives (n, channels, rows, columns) whatever the framework that the network was written in.
_CONVOLUTIONS = ("Convolution", "GroupConvolution", "MaxPool", "AvgPool")


class NoLocations(RuntimeError):
    """Raised where a network has no features that belong to a place in the picture."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """How features lie in an output: which axes of it are (picture, row, column, channel).

    n_before: for a transformer's tokens, how many of them (class token, registers) belong to no place; they come first.
    """

    axes: tuple[int, int, int, int] = _CHANNELS_FIRST
    n_before: int | None = None

    def laid_out(self, output: NDArray[np.float32]) -> Locations:
        """Return float32 (n, rows, columns, channels), rows from the top, columns from the left."""
        if self.n_before is None:
            return np.ascontiguousarray(output.transpose(self.axes))
        n, n_tokens, dim = output.shape
        side = isqrt(n_tokens - self.n_before)
        return np.ascontiguousarray(output[:, self.n_before :].reshape(n, side, side, dim))


def cut_at_locations(network: openvino.Model) -> Grid:
    """Make the last spatial features before the vectors the only output of a network with static shapes.

    Those of a convolutional network are what it pools or flattens. Those of a transformer are its tokens, which go
    through the norm that the class token goes through. Raises NoLocations; the network is then as it was.
    """
    way = _way_to_locations(network.outputs[0].node)
    found = way[-1]
    output = found.output(0)
    if len(output.shape) == 4:
        picture, row, column, channel = (_order(found).index(meaning) for meaning in (0, 2, 3, 1))
        grid = Grid(axes=(picture, row, column, channel))
    else:
        grid = Grid(n_before=_tokens_before(int(output.shape[1])))
        output = _without_crop(way)
    for result in network.get_results():
        network.remove_result(result)
    network.add_outputs([output])
    network.validate_nodes_and_infer_types()
    return grid


def _way_to_locations(result: openvino.Node) -> list[openvino.Node]:
    """Return the nodes from the result back to the nearest one whose output is spatial, by the fewest steps."""
    came_from: dict[str, openvino.Node | None] = {result.get_friendly_name(): None}
    waiting = deque([result])
    while waiting:
        node = waiting.popleft()
        if node is not result and _is_spatial(node):
            return _traced(node, came_from)
        for source in _sources(node):
            if source.get_friendly_name() not in came_from:
                came_from[source.get_friendly_name()] = node
                waiting.append(source)
    raise NoLocations("the network has no features that belong to a place in the picture")


def _traced(node: openvino.Node, came_from: dict[str, openvino.Node | None]) -> list[openvino.Node]:
    way = [node]
    while (after := came_from[way[-1].get_friendly_name()]) is not None:
        way.append(after)
    return way[::-1]


def _sources(node: openvino.Node) -> list[openvino.Node]:
    return [entry.get_source_output().get_node() for entry in node.inputs()]


def _is_spatial(node: openvino.Node) -> bool:
    """Tell features from constants and from the picture itself, on which no convolution has looked yet."""
    if node.get_type_name() in ("Constant", "Parameter", "Convert") or not _is_static(node):
        return False
    shape = [int(edge) for edge in node.output(0).shape]
    if len(shape) == 4:
        order = _order(node)
        return bool(order) and shape[order.index(2)] * shape[order.index(3)] > 1
    return len(shape) == 3 and shape[0] == 1 and isqrt(shape[1]) > 1


def _is_static(node: openvino.Node) -> bool:
    return bool(node.output(0).partial_shape.is_static)


def _order(node: openvino.Node) -> tuple[int, ...]:
    """Return which of (picture, channel, row, column) each axis of a 4-D output is, () where no convolution tells.

    A convolution gives them in this order, a transposition permutes them, and everything else keeps those of its input.
    """
    if node.get_type_name() in _CONVOLUTIONS:
        return _CHANNELS_FIRST
    sources = [s for s in _sources(node) if s.get_type_name() != "Constant" and len(s.output(0).partial_shape) == 4]
    before = _order(sources[0]) if sources else ()
    if node.get_type_name() != "Transpose" or not before:
        return before
    axes = node.input(1).get_source_output().get_node()
    return tuple(before[axis] for axis in axes.get_data()) if axes.get_type_name() == "Constant" else ()


def _tokens_before(n_tokens: int) -> int:
    """Return how many tokens are left over beside the largest square grid."""
    return n_tokens - isqrt(n_tokens) ** 2


def _without_crop(way: list[openvino.Node]) -> openvino.Output:
    """Return the tokens after whatever the network does to its class token alone, which is then done to all of them."""
    tokens = way[-1].output(0)
    single = [node for node in way if len(node.output(0).shape) == 3 and int(node.output(0).shape[1]) == 1]
    if not single:
        return tokens
    single[-1].output(0).replace(tokens)
    return single[0].output(0) if len(single) > 1 else tokens
