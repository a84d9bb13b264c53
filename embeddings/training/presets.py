"""The recipes of `train_encoder`: what each fixes, and where it comes from. Facts only; no network is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Shares = tuple[float, float, float]
# Of the images that are learnt from, tested on at the end, and checked on after each epoch.
SHARES: Shares = (0.85, 0.0, 0.15)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A recipe. defaults: fields of TrainingConfig; any that the user names take their place.

    shares: see SHARES. A part that the dataset has as a split of its own is taken as it is, the others are drawn. Only
    what names classes is tested: with another loss than cross-entropy SHARES take their place.
    backbone: the encoder that is trained on where none is named; empty: the site's default one.
    """

    summary: str
    defaults: dict[str, Any] = field(default_factory=dict)
    shares: Shares = SHARES
    needs_labels: bool = True
    takes_backbone: bool = False
    backbone: str = ""


# The names of `augmentation.NAMES`, which imports Albumentations: a test holds the two against each other.
CLASSIFIER_AUGMENTATION = (
    "horizontal_flip",
    "random_brightness_contrast",
    "random_rotate_90",
    "flip",
    "rgb_shift",
    "hue_saturation_value",
    "clahe",
    "random_gamma",
    "blur",
    "to_gray",
    "image_compression",
)
_PHOTOGRAPH_AUGMENTATION = (
    "horizontal_flip",
    "random_brightness_contrast",
    "hue_saturation_value",
    "image_compression",
)
_FINE_TUNING: dict[str, Any] = {
    "network": "backbone",
    "loss": "proxy-anchor",
    "dim": 128,
    "epochs": 15,
    "frozen_epochs": 2,
    "learning_rate": 1e-3,
    "fine_tuning_rate": 2e-4,
    "temperature": 0.1,
    "patience": 5,
    "augmentation": _PHOTOGRAPH_AUGMENTATION,
}

PRESETS: dict[str, Preset] = {
    "mobilenet-classifier": Preset(
        summary="a MobileNet that learns to name the classes; its last hidden layer of 64 is the vector",
        takes_backbone=True,
        shares=(0.75, 0.10, 0.15),
        defaults={
            "network": "backbone",
            "loss": "cross-entropy",
            "hidden": (512,),
            "pooling": "flatten",
            "dim": 64,
            "epochs": 20,
            "frozen_epochs": 20,
            # With 1e-3 the 62,720 flattened features kill every ReLU at once, and the loss stays at that of chance.
            "learning_rate": 1e-4,
            "batch_size": 32,
            "patience": 5,
            "augmentation": CLASSIFIER_AUGMENTATION,
        },
    ),
    # https://keras.io/examples/vision/metric_learning/
    "metric-pairs": Preset(
        summary="anchors and positives, one pair of each class a batch, in a small network for small pictures",
        defaults={
            "network": "metric-convnet",
            "loss": "pairs",
            "input_size": 32,
            "dim": 8,
            "epochs": 20,
            "learning_rate": 1e-3,
            "batches_per_epoch": 1000,
            "temperature": 0.2,
        },
    ),
    "conv-autoencoder": Preset(
        summary="a convolutional autoencoder, which needs no labels; its latent numbers are the vector",
        needs_labels=False,
        defaults={
            "network": "conv-autoencoder",
            "loss": "reconstruction",
            "input_size": 256,
            "dim": 256,
            "epochs": 10,
            "learning_rate": 1e-3,
            "batch_size": 32,
            "patience": 5,
            "distance": "l2",
        },
    ),
    "fine-tune": Preset(
        summary="any installed network, frozen at first, with any loss", takes_backbone=True, defaults=_FINE_TUNING
    ),
    "resnet50": Preset(
        summary="fine-tune on ResNet50", takes_backbone=True, backbone="resnet50", defaults=_FINE_TUNING
    ),
    "vgg16": Preset(summary="fine-tune on VGG16", takes_backbone=True, backbone="vgg16", defaults=_FINE_TUNING),
    "vit": Preset(summary="fine-tune on ViT-B/16", takes_backbone=True, backbone="vit_b16", defaults=_FINE_TUNING),
}
