"""How long the stages of searches take in this process: decode, embed, search."""

from __future__ import annotations

from typing import Literal

from prometheus_client import Histogram

from search.metrics.registry import PROCESS

_SECONDS = Histogram(
    "imgsim_search_stage_seconds",
    "Time of a stage of a search, in this process.",
    ["stage"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
    registry=PROCESS,
)


def observe(stage: Literal["decode", "embed", "search"], seconds: float) -> None:
    """Count a stage of a search that took so long."""
    _SECONDS.labels(stage).observe(seconds)
