"""The networks of `keras.applications`, as encoders: pictures in, one unit vector a picture out."""

from collections.abc import Callable

import keras
from keras import layers

from embeddings.networks.torch_weights import MissingWeights
from embeddings.specs import EncoderSpec
from embeddings.torch_files import Arrays


def pooled(
    spec: EncoderSpec,
    arrays: Arrays | None,
    application: Callable[..., keras.Model],
    normalise: Callable[[keras.KerasTensor], keras.KerasTensor],
) -> keras.Model:
    """Return `application` without its classes, mean-pooled: uint8 RGB (n, size, size, 3) to unit vectors (n, dim).

    normalise: the `preprocess_input` that belongs to the network.
    Raises MissingWeights if the arrays do not fit.
    """
    pictures = keras.Input((spec.input_size, spec.input_size, 3), dtype="uint8", name="pictures")
    x = normalise(layers.Rescaling(1.0, name="as_float")(pictures))
    features = application(include_top=False, weights=None, input_tensor=x).output
    x = layers.GlobalAveragePooling2D(name="pool")(features)
    vectors = layers.UnitNormalization(name="vectors")(x)
    network = keras.Model(pictures, vectors, name=spec.name)
    if arrays is not None:
        _set_weights(network, arrays)
    return network


def _set_weights(network: keras.Model, arrays: Arrays) -> None:
    """Set weights by the names of layers or, where the file has other names, in its order, as Keras itself does."""
    weighted = {layer.name: layer for layer in network.layers if layer.weights}
    by_layer: dict[str, list[str]] = {}
    for name in arrays:
        by_layer.setdefault(name.rpartition("/")[0], []).append(name)
    if len(by_layer) != len(weighted):
        raise MissingWeights(f"expected weights of {len(weighted)} layers, got {len(by_layer)}")
    order = by_layer if by_layer.keys() != weighted.keys() else weighted
    for layer, source in zip(weighted.values(), order, strict=True):
        values = [arrays[name] for name in by_layer[source]]
        expected = [tuple(weight.shape) for weight in layer.weights]
        if [value.shape for value in values] != expected:
            shapes = [value.shape for value in values]
            raise MissingWeights(f"{source}: expected shapes {expected} for {layer.name}, got {shapes}")
        layer.set_weights(values)
