"""A convolutional autoencoder, trained here without labels: the vector is what the picture can be drawn from again."""

import keras
from keras import layers

from embeddings.specs import Distance

_WIDTHS = (32, 64, 128, 256)
# Each of the four convolutions halves the size.
_STEP = 2 ** len(_WIDTHS)
# A 1 x 1 convolution thins the map to this: at 256 pixels the dense layers would be 8 times as large on all of it.
_THIN = 32


def build_network(input_size: int, dim: int, *, distance: Distance = "cosine") -> tuple[keras.Model, keras.Model]:
    """Return the untrained autoencoder and its encoder, which share their layers.

    Both take uint8 RGB (n, input_size, input_size, 3) and divide by 255 themselves. The autoencoder gives float32 of
    the same shape, 0 to 1: train it against the pictures divided by 255. The encoder gives float32 (n, dim): with
    "l2" the layer "pool", which the decoder draws from, with "cosine" the same at unit length, the layer "vectors".
    Raises ValueError if input_size is no multiple of 16 or dim is below 1.
    """
    if input_size < _STEP or input_size % _STEP or dim < 1:
        raise ValueError(
            f"expected an input_size that is a multiple of {_STEP} ({_STEP}, {2 * _STEP}, {3 * _STEP}, …) "
            f"and a dim of at least 1, got {input_size}, {dim}"
        )
    pictures = keras.Input((input_size, input_size, 3), dtype="uint8", name="pictures")
    latent = _encode(pictures, dim)
    drawn = _decode(latent, input_size // _STEP)
    vectors = layers.UnitNormalization(dtype="float32", name="vectors")(latent) if distance == "cosine" else latent
    autoencoder = keras.Model(pictures, drawn, name="conv_autoencoder")
    return autoencoder, keras.Model(pictures, vectors, name="conv_encoder")


def _encode(pictures: keras.KerasTensor, dim: int) -> keras.KerasTensor:
    x = layers.Rescaling(1 / 255, name="normalise")(pictures)
    for channels in _WIDTHS:
        x = layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(_THIN, 1, activation="relu", name="thin")(x)
    # With zeros a black picture would have no direction at first, and its gradient would be 1e12 or not a number.
    bias = keras.initializers.RandomNormal(stddev=0.01)
    flat = layers.Flatten(name="flatten")(x)
    return layers.Dense(dim, bias_initializer=bias, dtype="float32", name="pool")(flat)


def _decode(latent: keras.KerasTensor, side: int) -> keras.KerasTensor:
    """Add the mirror image of the encoder."""
    x = layers.Dense(side * side * _THIN, activation="relu")(latent)
    x = layers.Reshape((side, side, _THIN))(x)
    x = layers.Conv2D(_WIDTHS[-1], 1, activation="relu")(x)
    for channels in _WIDTHS[-2::-1]:
        x = layers.Conv2DTranspose(channels, 3, strides=2, padding="same", activation="relu")(x)
    drawn = layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="sigmoid", dtype="float32", name="drawn")
    return drawn(x)
