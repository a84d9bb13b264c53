"""The network that a training changes, the encoder inside it, and the loss: put together from a config."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import keras
from keras import layers

from embeddings import networks
from embeddings.networks import conv_autoencoder, metric_convnet
from embeddings.networks.precision import in_precision
from embeddings.training import losses
from embeddings.training.config import TrainingConfig

# What is behind the features is small and exact, whatever the layers before it compute in on a GPU.
_EXACT = "float32"
# Added before the length is made 1: of ReLU features all can be 0, and a vector needs a direction.
_TINY = 1e-6
_STEPS_AT_ONCE = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """trainee: uint8 pictures to what the loss compares. encoder: uint8 pictures to vectors; they share their layers.

    backbone: the layers that came trained, which stay as they are in the frozen epochs.
    """

    trainee: keras.Model
    encoder: keras.Model
    loss: keras.losses.Loss
    backbone: tuple[keras.layers.Layer, ...] = ()


def build(config: TrainingConfig, n_classes: int) -> Recipe:
    """Put together what a config describes, with initial weights of Keras' random state.

    Raises ValueError where the parts do not fit each other.
    """
    if config.network == "conv-autoencoder":
        trainee, encoder = conv_autoencoder.build_network(config.input_size, config.dim, distance=config.distance)
        return Recipe(trainee=trainee, encoder=encoder, loss=keras.losses.MeanSquaredError())
    if config.network == "metric-convnet":
        encoder = metric_convnet.build_network(config.input_size, config.dim, depth=config.depth)
        return _with_loss(config, n_classes, encoder.input, encoder.get_layer("pool").output, encoder, ())
    return _on_backbone(config, n_classes)


def _on_backbone(config: TrainingConfig, n_classes: int) -> Recipe:
    network = (
        networks.build(config.backbone, None, input_size=config.input_size) if config.from_scratch else _loaded(config)
    )
    pool = network.get_layer("pool")
    if config.pooling == "flatten":
        if len(pool.input.shape) != 4:
            raise ValueError(f"{config.backbone} has no places to lay side by side: use average pooling")
        features = layers.Flatten(name="flat")(pool.input)
    else:
        features = pool.output
    for number, width in enumerate(config.hidden):
        features = layers.Dense(width, activation="relu", dtype=_EXACT, name=f"hidden_{number}")(features)
    activation = "relu" if config.loss == "cross-entropy" else None
    features = layers.Dense(config.dim, activation=activation, dtype=_EXACT, name="projection")(features)
    vectors = features
    if config.distance == "cosine":
        vectors = layers.Rescaling(1.0, _TINY, dtype=_EXACT, name="direction")(features)
        vectors = layers.UnitNormalization(dtype=_EXACT, name="vectors")(vectors)
    encoder = keras.Model(network.input, vectors, name=config.name.replace("-", "_"))
    trained = () if config.from_scratch else tuple(one for one in network.layers if one in encoder.layers)
    return _with_loss(config, n_classes, network.input, features, encoder, trained)


def _loaded(config: TrainingConfig) -> keras.Model:
    network = networks.load(Path(config.backbone_folder, f"{config.backbone}.keras"))
    policy = keras.config.dtype_policy().name
    return network if policy == _EXACT else in_precision(network, policy)


def _with_loss(
    config: TrainingConfig,
    n_classes: int,
    pictures: keras.KerasTensor,
    features: keras.KerasTensor,
    encoder: keras.Model,
    backbone: tuple[keras.layers.Layer, ...],
) -> Recipe:
    """Add what the loss needs behind the features, which is left away again when the encoder is used."""
    outputs, loss = encoder.output, _loss(config, n_classes)
    if config.loss == "cross-entropy":
        # Two classes are one question: sigmoid, as published.
        n_outputs, activation = (1, "sigmoid") if n_classes == 2 else (n_classes, "softmax")
        outputs = layers.Dense(n_outputs, activation=activation, dtype=_EXACT, name="classes")(features)
    elif config.loss == "proxy-anchor":
        outputs = losses.Proxies(n_classes, dtype=_EXACT, name="proxies")(features)
    return Recipe(trainee=keras.Model(pictures, outputs), encoder=encoder, loss=loss, backbone=backbone)


def _loss(config: TrainingConfig, n_classes: int) -> keras.losses.Loss:
    if config.loss == "cross-entropy":
        return keras.losses.BinaryCrossentropy() if n_classes == 2 else keras.losses.SparseCategoricalCrossentropy()
    if config.loss == "pairs":
        return losses.PairsSoftmax(config.temperature)
    if config.loss == "supervised-contrastive":
        return losses.SupervisedContrastive(config.temperature)
    return losses.MultiSimilarity() if config.loss == "multi-similarity" else losses.ProxyAnchor()


def set_stage(recipe: Recipe, config: TrainingConfig, *, is_frozen: bool) -> None:
    """Choose which layers learn, and compile with a fresh optimizer, whose rate `learning_rate` gives anew each epoch.

    The statistics of batch normalisation stay as they came in either stage: few pictures of one kind spoil them.
    """
    n_last = config.n_trainable_layers or len(recipe.backbone)
    for place, layer in enumerate(reversed(recipe.backbone)):
        is_statistics = isinstance(layer, layers.BatchNormalization)
        layer.trainable = not is_frozen and place < n_last and not is_statistics
    optimizer = keras.optimizers.Adam(config.learning_rate)
    optimizer.build(recipe.trainee.trainable_variables)  # at once: while a graph is traced it takes ten times as long
    recipe.trainee.compile(
        optimizer=optimizer,
        loss=recipe.loss,
        # On a processor TensorFlow's compiler takes up to 25 s for the first epoch and saves nothing in the others.
        jit_compile=keras.backend.backend() != "tensorflow",
        # Steps of a small network are shorter than the way back to Python after each.
        steps_per_execution=_STEPS_AT_ONCE if config.network == "metric-convnet" else 1,
    )


def learning_rate(recipe: Recipe, config: TrainingConfig, epoch: int) -> float:
    """Return the rate of Adam in an epoch, counted from 0.

    "cosine" without restarts: equation 5 of Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983.
    """
    is_tuning = bool(recipe.backbone) and epoch >= config.frozen_epochs
    rate = config.fine_tuning_rate if is_tuning else config.learning_rate
    return rate * (1 + math.cos(math.pi * epoch / config.epochs)) / 2 if config.schedule == "cosine" else rate
