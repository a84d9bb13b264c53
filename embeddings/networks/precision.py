"""The same network in another precision."""

from __future__ import annotations

from typing import Any

import keras


def in_precision(network: keras.Model, policy: str) -> keras.Model:
    """Return a network of the same layers and weights whose layers follow a dtype policy, such as "mixed_bfloat16".

    The policy of a layer is part of what a `.keras` file says, so a global one does not reach networks that are read.
    """
    config = _rewritten(network.get_config(), policy)
    copy: keras.Model = type(network).from_config(config)
    copy.set_weights(network.get_weights())
    return copy


def _rewritten(config: Any, policy: str) -> Any:
    """Return a config with each policy in it replaced; dtypes by their name are those of inputs, which stay."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {"name": policy}}
        return {key: _rewritten(value, policy) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_rewritten(value, policy) for value in config)
    return config
