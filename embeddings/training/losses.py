"""Losses on a batch of embeddings and their labels, in plain `keras.ops`: the same on TensorFlow and on JAX.

Labels are integers (n,). Apart from PairsSoftmax and ProxyAnchor each loss gives a value for each anchor, 0 for an
anchor that has nothing to learn from (no positives), and Keras takes the mean over all anchors of the batch.
"""

from typing import Any

import keras
from keras import KerasTensor as Tensor
from keras import ops

_PACKAGE = "imgsim"
# Stands for minus infinity, whose gradient would not be a number.
_NOTHING = -1e9


@keras.saving.register_keras_serializable(_PACKAGE)
class PairsSoftmax(keras.losses.Loss):
    """Cross-entropy of finding each anchor's own positive among the positives of the batch.

    y_pred: float32 (2n, dim) of unit length: n anchors, then their n positives in the same order, one pair per class.
    y_true is ignored. The logits are the cosines divided by the temperature; the value is float32 (n,).
    Follows https://keras.io/examples/vision/metric_learning/.
    """

    def __init__(self, temperature: float = 0.2, name: str = "pairs_softmax", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.temperature = temperature

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the cross-entropy of each anchor."""
        n = ops.shape(y_pred)[0] // 2
        logits = ops.matmul(y_pred[:n], ops.transpose(y_pred[n:])) / self.temperature
        return keras.losses.sparse_categorical_crossentropy(ops.arange(n), logits, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        """Return what builds the same loss again."""
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(_PACKAGE)
class SupervisedContrastive(keras.losses.Loss):
    """Supervised contrastive loss, the mean over positives outside the logarithm ("out").

    y_true: integers (n,). y_pred: float32 (n, dim) of unit length. The value is float32 (n,).
    Equation 2 of Khosla et al. 2020, https://arxiv.org/abs/2004.11362, without the authors' later scaling by
    temperature / base temperature.
    """

    def __init__(self, temperature: float = 0.1, name: str = "supervised_contrastive", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.temperature = temperature

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return minus the mean log probability of each anchor's positives among all others."""
        positives, others = _masks(y_true)
        logits = ops.matmul(y_pred, ops.transpose(y_pred)) / self.temperature
        log_total = ops.logsumexp(ops.where(others, logits, _NOTHING), axis=1, keepdims=True)
        chances = ops.sum(ops.where(positives, logits - log_total, 0.0), axis=1)
        n_positives = ops.sum(ops.cast(positives, y_pred.dtype), axis=1)
        return -chances / ops.maximum(n_positives, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return what builds the same loss again."""
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(_PACKAGE)
class MultiSimilarity(keras.losses.Loss):
    """Multi-similarity loss with its pair mining.

    y_true: integers (n,). y_pred: float32 (n, dim) of unit length. The value is float32 (n,).
    Mined are the negatives whose cosine is above that of the furthest positive minus `margin`, and the positives
    whose cosine is below that of the nearest negative plus `margin`; `base` is the cosine they are weighed against.
    An anchor without negatives has nothing to learn from either.
    Wang et al. 2019, https://arxiv.org/abs/1904.06627: their mining, alpha, beta and margin; base as in their code.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 50.0,
        base: float = 0.5,
        margin: float = 0.1,
        name: str = "multi_similarity",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.alpha = alpha
        self.beta = beta
        self.base = base
        self.margin = margin

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return each anchor's loss over its mined pairs."""
        positives, others = _masks(y_true)
        negatives = ops.logical_and(others, ops.logical_not(positives))
        cosines = ops.matmul(y_pred, ops.transpose(y_pred))
        furthest = -ops.max(ops.where(positives, -cosines, _NOTHING), axis=1, keepdims=True)
        nearest = ops.max(ops.where(negatives, cosines, _NOTHING), axis=1, keepdims=True)
        mined_positives = ops.logical_and(positives, cosines - self.margin < nearest)
        mined_negatives = ops.logical_and(negatives, cosines + self.margin > furthest)
        pulls = _log_one_plus_sum(-self.alpha * (cosines - self.base), mined_positives, axis=1)
        pushes = _log_one_plus_sum(self.beta * (cosines - self.base), mined_negatives, axis=1)
        return pulls / self.alpha + pushes / self.beta

    def get_config(self) -> dict[str, Any]:
        """Return what builds the same loss again."""
        options = {"alpha": self.alpha, "beta": self.beta, "base": self.base, "margin": self.margin}
        return {**super().get_config(), **options}


@keras.saving.register_keras_serializable(_PACKAGE)
class Proxies(keras.layers.Layer):
    """One trainable vector for each class: float32 (n, dim) in, its cosine to each proxy (n, n_classes) out.

    Used while training only, between the embedding and ProxyAnchor.
    """

    def __init__(self, n_classes: int, **options: Any) -> None:
        super().__init__(**options)
        self.n_classes = n_classes

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Make the proxies, normally distributed as the authors have them."""
        shape = (self.n_classes, input_shape[-1])
        self.proxies = self.add_weight(name="proxies", shape=shape, initializer="he_normal")

    def call(self, inputs: Tensor) -> Tensor:
        """Return the cosines; the vectors need no unit length."""
        return ops.matmul(_unit(inputs), ops.transpose(_unit(self.proxies)))

    def get_config(self) -> dict[str, Any]:
        """Return what builds the same layer again."""
        return {**super().get_config(), "n_classes": self.n_classes}


@keras.saving.register_keras_serializable(_PACKAGE)
class ProxyAnchor(keras.losses.Loss):
    """Proxy-anchor loss on the output of `Proxies`.

    y_true: integers (n,), 0 to n_classes - 1. y_pred: float32 (n, n_classes), cosines. The value is one number:
    the mean pull over the proxies that have a positive in the batch plus the mean push over all proxies.
    Kim et al. 2020, https://arxiv.org/abs/2003.13911.
    """

    def __init__(self, margin: float = 0.1, alpha: float = 32.0, name: str = "proxy_anchor", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.margin = margin
        self.alpha = alpha

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the loss of the batch."""
        classes = ops.arange(ops.shape(y_pred)[1])
        own = ops.equal(ops.cast(ops.reshape(y_true, (-1, 1)), classes.dtype), classes[None])
        pulls = _log_one_plus_sum(-self.alpha * (y_pred - self.margin), own, axis=0)
        pushes = _log_one_plus_sum(self.alpha * (y_pred + self.margin), ops.logical_not(own), axis=0)
        n_present = ops.sum(ops.cast(ops.any(own, axis=0), y_pred.dtype))
        return ops.sum(pulls) / ops.maximum(n_present, 1.0) + ops.mean(pushes)

    def get_config(self) -> dict[str, Any]:
        """Return what builds the same loss again."""
        return {**super().get_config(), "margin": self.margin, "alpha": self.alpha}


def _masks(y_true: Tensor) -> tuple[Tensor, Tensor]:
    """Return two boolean (n, n): the pairs of one class, and all pairs, both without the diagonal."""
    labels = ops.reshape(y_true, (-1, 1))
    others = ops.logical_not(ops.eye(ops.shape(labels)[0], dtype="bool"))
    return ops.logical_and(ops.equal(labels, ops.transpose(labels)), others), others


def _unit(x: Tensor) -> Tensor:
    # Not ops.normalize, whose gradient at zero is not a number on JAX.
    return x * ops.rsqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-12)


def _log_one_plus_sum(exponents: Tensor, mask: Tensor, *, axis: int) -> Tensor:
    """Return log(1 + the sum of exp(exponents) where mask), 0 where the mask has nothing; it does not overflow."""
    return ops.softplus(ops.logsumexp(ops.where(mask, exponents, _NOTHING), axis=axis))
