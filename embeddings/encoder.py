"""Turn pictures into vectors: `Encoder.load(folder).encode(images)`; on a CPU without Keras and TensorFlow."""

import logging
import os
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from embeddings.heads import LinearHead
from embeddings.spatial import NoLocations
from embeddings.specs import EncoderSpec
from embeddings.stored import EncoderDamaged, EncoderMissing, NoEncoder, StoredEncoder

if TYPE_CHECKING:
    from embeddings.gpu import GpuNetwork
    from embeddings.runtime import CpuNetwork

__all__ = ["BrokenVectors", "Encoder", "EncoderDamaged", "EncoderMissing", "HeadedEncoder", "NoEncoder", "NoLocations"]

logger = logging.getLogger(__name__)

Vectors = NDArray[np.float32]
Tags = list[tuple[str, float]]
Processor = Literal["cpu", "gpu"]

_DATA = Path(__file__).parent / "data"
_LARGEST_NUMBER = 65_504.0  # of halves, as which vectors are kept


class BrokenVectors(RuntimeError):
    """Raised when the network gives a vector that cannot be compared: of another length than the encoder's others,
    no number, too large, or zero for a cosine.

    places: of the pictures in the batch for which it does, ascending.
    """

    def __init__(self, message: str, places: tuple[int, ...]) -> None:
        super().__init__(message)
        self.places = places


class Encoder:
    """An installed encoder. The network is compiled on first use, again after a fork; threads may share it."""

    def __init__(
        self, stored: StoredEncoder, folder: Path, *, n_threads: int | None = None, processor: Processor = "cpu"
    ) -> None:
        self.spec: EncoderSpec = stored.spec
        self._stored = stored
        self._folder = folder
        self._n_threads = n_threads
        self._processor = processor
        self._lock = threading.Lock()
        self._networks: dict[int, CpuNetwork | GpuNetwork] = {}
        self._locators: dict[int, CpuNetwork] = {}

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        n_threads: int | None = None,
        processor: Processor = "cpu",
        backbone: "Encoder | None" = None,
    ) -> "Encoder":
        """Return the encoder in `folder`, quickly: the network itself is read on first use.

        n_threads: cores for one call of `encode`; all by default, 1 where a process runs on every core.
        processor: "gpu" runs the network in Keras on a GPU; where Keras finds none, on the CPU, and the log says so.
        backbone: what a linear head sits on, where it is loaded already; by default it is loaded from beside `folder`.
        Raises EncoderMissing, EncoderDamaged.
        """
        stored = StoredEncoder.read(folder)
        for name in stored.files:
            if not (folder / name).is_file():
                stored.verify(folder)
        if stored.spec.backbone:
            return HeadedEncoder(
                stored,
                folder,
                backbone or cls.load(folder.parent / stored.spec.backbone, n_threads=n_threads, processor=processor),
            )
        return cls(stored, folder, n_threads=n_threads, processor=processor)

    @property
    def weights_sha256(self) -> str:
        """The SHA-256 of the weights, in hexadecimal."""
        return self._stored.weights_sha256

    def encode(self, images: NDArray[np.uint8]) -> Vectors:
        """Return float32 vectors (n, dim) for uint8 RGB images (n, input_size, input_size, 3), n may be 0.

        They have unit length where they are compared by cosine, and their own where by L2.
        Raises ValueError for another shape or dtype, BrokenVectors, EncoderDamaged.
        """
        return self._comparable(self._run(images)[0])

    def encode_with_tags(self, images: NDArray[np.uint8], top: int = 5) -> tuple[Vectors, list[Tags]]:
        """Return the vectors, as `encode`, and for each image its `top` likeliest classes with probabilities.

        Raises ValueError, as `encode`, and for an encoder without classes.
        """
        if not self.spec.n_classes:
            raise ValueError(f"{self.spec.name} has no classes to take tags from")
        vectors, probabilities = self._run(images)
        order = np.argsort(-probabilities, axis=1)[:, :top]
        tags = [
            [(self._labels[index], float(row[index])) for index in best]
            for row, best in zip(probabilities, order, strict=True)
        ]
        return self._comparable(vectors), tags

    def encode_locations(self, images: NDArray[np.uint8]) -> Vectors:
        """Return the last spatial features, float32 (n, rows, columns, channels), for images as `encode` takes them.

        They are what the network pools into the vector, or a transformer's tokens but for the class token; the first
        row is the top of the picture, the first column its left. The mean over all locations, at unit length, is
        `encode`'s vector where the network ends in that mean. The first call compiles a second network that ends there
        (MobileNetV2: 28 MB; the features as a second output of the first would cost each `encode` 4 %), always for the
        processor.
        Raises ValueError as `encode` does, NoLocations, EncoderDamaged.
        """
        return self._locator().locations(self._checked(images))

    def warm_up(self) -> None:
        """Compile the network now, so that the first `encode` is quick. Raises EncoderDamaged."""
        self._compiled()

    def _comparable(self, vectors: Vectors) -> Vectors:
        if vectors.shape[1] != self.spec.dim:
            what = f"the network gave {vectors.shape[1]} numbers an image, not {self.spec.dim}"
            raise BrokenVectors(what, tuple(range(len(vectors))))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        needs_direction = self.spec.distance == "cosine"
        fits = lengths > 0 if needs_direction else np.abs(vectors).max(axis=1, keepdims=True) <= _LARGEST_NUMBER
        broken = np.flatnonzero(~(np.isfinite(lengths) & fits))
        if broken.size:
            missing = "direction" if needs_direction else "finite vector"
            what = f"the network gave no {missing} for {broken.size} of {len(vectors)} images"
            raise BrokenVectors(what, tuple(broken.tolist()))
        if needs_direction:
            vectors /= lengths  # reduced precision leaves them a little off
        return vectors

    def _run(self, images: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        return self._compiled().run(self._checked(images))

    def _checked(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = self.spec.input_size
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (size, size, 3):
            received = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
            raise ValueError(f"expected uint8 images of shape (n, {size}, {size}, 3), received {received}")
        return images

    def _compiled(self) -> "CpuNetwork | GpuNetwork":
        with self._lock:
            # A forked child has the parent's network but not its threads: it must compile its own, and must never
            # free the parent's, which would wait for them.
            if os.getpid() not in self._networks:
                self._networks[os.getpid()] = self._compile()
            return self._networks[os.getpid()]

    def _compile(self) -> "CpuNetwork | GpuNetwork":
        # Local: the runtimes' libraries load on first use, not when a page or a command imports this module.
        if self._processor == "gpu":
            from embeddings.gpu import GpuNetwork, NoGpu

            self._verified(".keras")
            try:
                return GpuNetwork.load(self._folder / f"{self.spec.name}.keras")
            except NoGpu as error:
                logger.warning("%s: %s computes on the processor.", error, self.spec.name)
        return self._on_processor()

    def _locator(self) -> "CpuNetwork":
        with self._lock:
            if os.getpid() not in self._locators:  # as in `_compiled`
                self._locators[os.getpid()] = self._on_processor(locations=True)
            return self._locators[os.getpid()]

    def _on_processor(self, *, locations: bool = False) -> "CpuNetwork":
        # Local, as in `_compile`.
        from embeddings.runtime import CpuNetwork

        stored = self._verified(".xml", ".bin")
        return CpuNetwork(
            self._folder / f"{self.spec.name}.xml",
            n_threads=self._n_threads,
            precision=stored.spec.precision,
            locations=locations,
        )

    def _verified(self, *suffixes: str) -> StoredEncoder:
        """Return what the folder says now: the same weights may have been installed anew since it was loaded."""
        stored = StoredEncoder.read(self._folder)
        stored.verify_weights(self._folder, self.weights_sha256)
        stored.verify(self._folder, suffixes)
        return stored

    @cached_property
    def _labels(self) -> list[str]:
        return (_DATA / str(self.spec.labels)).read_text(encoding="utf-8").splitlines()


class HeadedEncoder(Encoder):
    """An encoder that is a linear head on another one, its backbone."""

    def __init__(self, stored: StoredEncoder, folder: Path, backbone: Encoder) -> None:
        """Raises EncoderDamaged if the head was fitted on other weights than the backbone's, or cannot be read."""
        super().__init__(stored, folder)
        if stored.backbone_sha256 != backbone.weights_sha256:
            raise EncoderDamaged(
                f"{stored.spec.name} was fitted on other weights than those of {backbone.spec.name}: train it again"
            )
        stored.verify(folder)
        self.backbone = backbone
        self.head = LinearHead.load(folder / f"{stored.spec.name}.safetensors")

    def encode(self, images: NDArray[np.uint8]) -> Vectors:
        return self.head.apply(self.backbone.encode(images))

    def encode_with_tags(self, images: NDArray[np.uint8], top: int = 5) -> tuple[Vectors, list[Tags]]:
        vectors, tags = self.backbone.encode_with_tags(images, top)
        return self.head.apply(vectors), tags

    def encode_locations(self, images: NDArray[np.uint8]) -> Vectors:
        """Return the backbone's locations in the space of the head: the mean over all, at unit length, is its vector.

        Where the backbone's vectors are no mean of its locations but of another width, they come as they are.
        """
        locations = self.backbone.encode_locations(images)
        if locations.shape[-1] != len(self.head.mean):
            return locations
        return self.head.turn(locations)

    def warm_up(self) -> None:
        self.backbone.warm_up()
