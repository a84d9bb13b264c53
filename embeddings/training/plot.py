"""The history of a training as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

_VALIDATION = {"valid_map": "mAP among validation images", "valid_loss": "validation loss"}


def write_plot(history: Sequence[dict[str, float]], path: Path, *, title: str) -> None:
    """Write an SVG with the loss of each epoch, and the validation beside it on an axis of its own."""
    # Not pyplot, which keeps figures for a window that nobody opens.
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    epochs = [entry["epoch"] for entry in history]
    axes.plot(epochs, [entry["loss"] for entry in history], marker="o", markersize=3, color="#0b6655", label="loss")
    axes.set(xlabel="epoch", ylabel="loss", title=title)
    lines = axes.get_lines()
    for name, words in _VALIDATION.items():
        if history and name in history[0]:
            other = axes.twinx()
            other.plot(
                epochs, [entry[name] for entry in history], marker="s", markersize=3, color="#c77700", label=words
            )
            other.set_ylabel(words)
            lines = [*lines, *other.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], loc="center right", frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": "ImgSim"})
