"""The history of a training as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

_VALIDATION = {
    "valid_map": ("mAP among validation images", "#c77700"),
    "valid_accuracy": ("accuracy on validation images", "#7a3e9d"),
    "valid_loss": ("validation loss", "#c77700"),
}


def write_plot(history: Sequence[dict[str, float]], path: Path, *, title: str) -> None:
    """Write an SVG with the loss of each epoch, and the validation beside it on an axis of its own."""
    # Not pyplot, which keeps figures for a window that nobody opens.
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.subplots()
    epochs = [entry["epoch"] for entry in history]
    axes.plot(epochs, [entry["loss"] for entry in history], marker="o", markersize=3, color="#0b6655", label="loss")
    axes.set(xlabel="epoch", ylabel="loss", title=title)
    lines = axes.get_lines()
    if found := [name for name in _VALIDATION if history and all(name in entry for entry in history)]:
        other = axes.twinx()
        for name in found:
            words, colour = _VALIDATION[name]
            figures = [entry[name] for entry in history]
            other.plot(epochs, figures, marker="s", markersize=3, color=colour, label=words)
        other.set_ylabel("validation")
        lines = [*lines, *other.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], loc="center right", frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": "ImgSim"})
