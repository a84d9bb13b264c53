"""Linear heads: a matrix, fitted in closed form on vectors that are there already, that brings out what counts.

`fit_discriminant` learns from labels which directions tell classes apart; `fit_pca` and `fit_centring` need none.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from embeddings import metrics
from embeddings.specs import EncoderSpec
from embeddings.stored import StoredEncoder, sha256_of

Vectors = NDArray[np.float32]
Labels = NDArray[Any]
SHRINKAGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
# As many as tell the shrinkages apart: ranking 7,500 in 42,500 nine times took minutes and 4 GB.
MOST_CHECKED = 1_000
MOST_RANKED = 10_000
# Directions that pairs may add to those of the labels: more are mostly noise.
MOST_OF_PAIRS = 32


class CannotFit(ValueError):
    """Raised where vectors or labels are too few for the head that is asked for; the message says what is missing."""


class HeadUnreadable(ValueError):
    """Raised for a file that holds no linear head."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearHead:
    """x becomes (x - mean) @ matrix, of unit length. mean: float32 (n_in,); matrix: float32 (n_in, n_out)."""

    mean: Vectors
    matrix: Vectors

    @property
    def dim(self) -> int:
        return int(self.matrix.shape[1])

    def apply(self, vectors: Vectors) -> Vectors:
        """Return float32 (n, n_out) of unit length for float32 (n, n_in).

        A vector that is the mean itself has no direction: it gets the first one. Raises ValueError for other widths.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.mean):
            raise ValueError(f"expected vectors of shape (n, {len(self.mean)}), received {vectors.shape}")
        turned = np.matmul(vectors - self.mean, self.matrix, dtype=np.float32)
        lengths = np.linalg.norm(turned, axis=1, keepdims=True)
        turned[lengths[:, 0] == 0, 0] = 1
        turned /= np.where(lengths == 0, 1, lengths)
        return turned

    def turn(self, locations: Vectors) -> Vectors:
        """Return float32 (n, rows, columns, n_out) for the locations (n, rows, columns, n_in) of n pictures.

        Each picture's are divided by the length of their mean first, so that their mean is the vector that the head
        was fitted on, and the mean of what comes out has the direction that `apply` gives.
        """
        lengths = np.linalg.norm(locations.mean(axis=(1, 2), keepdims=True), axis=-1, keepdims=True)
        return np.matmul(locations / np.maximum(lengths, 1e-12) - self.mean, self.matrix, dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write the head as safetensors."""
        save_file({"mean": np.ascontiguousarray(self.mean), "matrix": np.ascontiguousarray(self.matrix)}, path)

    @classmethod
    def load(cls, path: Path) -> "LinearHead":
        """Return the head in a file. Raises HeadUnreadable, FileNotFoundError."""
        try:
            arrays = load_file(path)
            head = cls(mean=arrays["mean"].astype(np.float32), matrix=arrays["matrix"].astype(np.float32))
        except FileNotFoundError:
            raise
        except Exception as error:  # the library raises its own error, which it does not export
            raise HeadUnreadable(f"{path.name} holds no linear head: {error}") from error
        if head.mean.ndim != 1 or head.matrix.ndim != 2 or len(head.mean) != len(head.matrix):
            raise HeadUnreadable(f"{path.name}: shapes {head.mean.shape} and {head.matrix.shape} do not fit")
        return head


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """What was said of pairs, beside labels: differences of alike and of unlike vectors, float64 (n_pairs, n_in).

    weight: as how many labelled vectors each pair counts, 0 or more.
    """

    alike: NDArray[np.float64]
    unlike: NDArray[np.float64]
    weight: float


class Discriminant:
    """Fisher's linear discriminant of one set of vectors, for any shrinkage: the costly part is done once.

    Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 4.3: the directions in which the
    means of classes lie apart, after the spread inside classes was made equal in all directions. That spread is
    estimated from few vectors for its many numbers, so it is drawn towards a sphere: (1 - s) within + s trace(within)
    / n_in identity.
    """

    def __init__(self, vectors: Vectors, labels: Labels, said: "Said | None" = None) -> None:
        """vectors: float32 (n, n_in); labels: (n,). Raises CannotFit for fewer than two classes or vectors a class."""
        classes, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
        if len(classes) < 2:
            raise CannotFit(f"at least two classes are needed, and there {_are(len(classes))}")
        if len(vectors) < len(classes) + 2:
            raise CannotFit(f"{len(vectors)} images of {len(classes)} classes are too few: two a class are needed")
        exact = vectors.astype(np.float64)
        self._mean = exact.mean(axis=0)
        means = np.zeros((len(classes), exact.shape[1]))
        np.add.at(means, index, exact)
        means /= counts[:, np.newaxis]
        inside = exact - means[index]
        within = inside.T @ inside / len(exact)
        # Weighted by size, so that the scatter of the means is this matrix times itself.
        self._apart = (means - self._mean) * np.sqrt(counts / len(exact))[:, np.newaxis]
        if said is not None:
            within = within + said.weight * (said.alike.T @ said.alike) / (2 * len(exact))
            self._apart = np.concatenate([self._apart, said.unlike * np.sqrt(said.weight / (2 * len(exact)))])
        self._spread, self._directions = np.linalg.eigh(within)
        self._n_of_labels = min(len(classes) - 1, exact.shape[1])
        n_of_pairs = min(len(said.unlike), MOST_OF_PAIRS) if said is not None and said.weight else 0
        self.max_dim = min(self._n_of_labels + n_of_pairs, exact.shape[1])

    def head(self, shrinkage: float, dim: int | None = None) -> LinearHead:
        """Return the head of a shrinkage, 0 < s <= 1, with `dim` directions, the most telling first (default: all)."""
        if not 0 < shrinkage <= 1:
            raise ValueError(f"shrinkage must be above 0 and at most 1, received {shrinkage}")
        spread = (1 - shrinkage) * self._spread + shrinkage * self._spread.mean()
        whitening = self._directions / np.sqrt(np.maximum(spread, 1e-12))
        _, sizes, directions = np.linalg.svd(self._apart @ whitening, full_matrices=False)
        matrix = (
            whitening @ (directions * self._counted(sizes)[:, np.newaxis])[: min(dim or self.max_dim, self.max_dim)].T
        )
        return LinearHead(mean=self._mean.astype(np.float32), matrix=matrix.astype(np.float32))

    def _counted(self, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how much each direction counts: one for each class but one fully, those that pairs add by their size.

        Classes span no more directions than that; what pairs of one class are unlike by needs others.
        """
        return np.minimum(1, sizes / max(sizes[self._n_of_labels - 1], 1e-12))


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A head and how it came about: the mAP without a head and for each shrinkage, on n_checked validation vectors."""

    head: LinearHead
    shrinkage: float
    n_checked: int
    map_before: float
    map_by_shrinkage: dict[float, float]


def fit_discriminant(
    vectors: Vectors,
    labels: Labels,
    valid_vectors: Vectors,
    valid_labels: Labels,
    *,
    shrinkages: Sequence[float] = SHRINKAGES,
    dim: int | None = None,
) -> Choice:
    """Return the discriminant head whose shrinkage ranks the validation vectors best among the fitted ones, by mAP.

    Of many vectors up to 1,000, drawn at random, are ranked in up to 10,000, the same ones for all shrinkages.
    vectors: float32 (n, n_in), of any length; labels: (n,); the validation's likewise. Raises CannotFit.
    """
    if not len(valid_vectors):
        raise CannotFit("there are no validation images to choose the shrinkage on")
    if not np.isin(valid_labels, labels).any():
        raise CannotFit("no validation image has a label that is learnt from, by which to choose the shrinkage")
    discriminant = Discriminant(vectors, labels)
    asked, asked_labels = some(valid_vectors, valid_labels, MOST_CHECKED)
    ranked, ranked_labels = some(vectors, labels, MOST_RANKED)
    found = {}
    for shrinkage in shrinkages:
        head = discriminant.head(shrinkage, dim)
        found[shrinkage] = _map(head.apply(asked), asked_labels, head.apply(ranked), ranked_labels)
    best = max(found, key=lambda shrinkage: found[shrinkage])
    return Choice(
        head=discriminant.head(best, dim),
        shrinkage=best,
        n_checked=len(asked),
        map_before=_map(*_by_distance(asked, asked_labels, ranked, ranked_labels)),
        map_by_shrinkage=found,
    )


def some(vectors: Vectors, labels: Labels, most: int) -> tuple[Vectors, Labels]:
    """Return up to `most` vectors and their labels, drawn at random and always the same."""
    if len(vectors) <= most:
        return vectors, labels
    chosen = np.sort(np.random.default_rng(0).choice(len(vectors), most, replace=False))
    return vectors[chosen], labels[chosen]


def fit_pca(vectors: Vectors, dim: int) -> LinearHead:
    """Return the head that keeps the `dim` directions of largest variance, after centring; no labels are needed.

    vectors: float32 (n, n_in). Raises CannotFit where dim is above n - 1 or n_in.
    """
    largest = min(len(vectors) - 1, vectors.shape[1])
    if not 1 <= dim <= largest:
        raise CannotFit(f"from {len(vectors)} vectors 1 to {largest} directions can be kept, and {dim} are asked for")
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    _, directions = np.linalg.eigh(centred.T @ centred)
    return LinearHead(
        mean=mean.astype(np.float32), matrix=np.ascontiguousarray(directions[:, ::-1][:, :dim]).astype(np.float32)
    )


def fit_centring(vectors: Vectors) -> LinearHead:
    """Return the head that only subtracts the mean: features that are never negative then point in all directions."""
    if not len(vectors):
        raise CannotFit("there are no vectors to take the mean of")
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return LinearHead(mean=mean, matrix=np.eye(len(mean), dtype=np.float32))


def store(head: LinearHead, spec: EncoderSpec, folder: Path, *, backbone_sha256: str) -> StoredEncoder:
    """Write a head as the encoder that `spec` describes, so that `Encoder.load(folder)` finds it whole or not at all.

    backbone_sha256: of the weights whose vectors it was fitted on. Raises FileExistsError where `folder` is there.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        draft = Path(scratch, "encoder")
        draft.mkdir()
        file = draft / f"{spec.name}.safetensors"
        head.save(file)
        stored = StoredEncoder(
            spec=spec,
            weights_sha256=sha256_of(file),
            files={file.name: sha256_of(file)},
            parity={},
            n_samples=0,
            versions={package: version(package) for package in ("numpy", "safetensors")},
            backbone_sha256=backbone_sha256,
        )
        stored.write(draft)
        draft.rename(folder)
    return stored


def _by_distance(
    queries: Vectors, query_labels: Labels, gallery: Vectors, gallery_labels: Labels
) -> tuple[Vectors, Labels, Vectors, Labels]:
    """Return the same with a number more in each vector, so that inner products rank as Euclidean distances do."""
    ones, lengths = np.ones((len(queries), 1), np.float32), np.linalg.norm(gallery, axis=1, keepdims=True)
    longer = np.concatenate([queries, ones], axis=1), np.concatenate([gallery, -(lengths**2) / 2], axis=1)
    return longer[0], query_labels, longer[1], gallery_labels


def _map(queries: Vectors, query_labels: Labels, gallery: Vectors, gallery_labels: Labels) -> float:
    return metrics.mean_average_precision(metrics.relevance(queries, query_labels, gallery, gallery_labels))


def _are(n: int) -> str:
    return {0: "is none", 1: "is one"}.get(n, f"are {n}")
