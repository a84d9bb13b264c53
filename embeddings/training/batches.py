"""Which pictures go into which batch: arrays of indices into the list of labels, no pixels.

Everything is repeatable: the same seed and epoch give the same batches, so that a run that resumes sees what it would
have seen.
"""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Labels = NDArray[np.int64]


def split(
    labels: Labels, *, seed: int, shares: tuple[float, float, float] = (0.75, 0.10, 0.15)
) -> tuple[Indices, Indices, Indices]:
    """Divide the pictures, class by class, into train, test and valid: three sorted arrays of indices.

    labels: int64 (n,). shares: of train, test and valid, adding up to 1.
    Test and valid get their share of each class, rounded, but at least one picture each (where the share is not 0)
    of a class with three or more; train gets the rest. Of a class of two, one goes to train and one to test, or to
    valid where test has no share; a single one goes to train.
    Raises ValueError for shares that are negative or do not add up to 1, or where train has none.
    """
    if min(shares) < 0 or shares[0] == 0 or not np.isclose(sum(shares), 1):
        raise ValueError(f"expected three shares from 0 to 1 that add up to 1, the first above 0, got {shares}")
    rng = np.random.default_rng(seed)
    parts: tuple[list[Indices], ...] = ([], [], [])
    for members in _by_class(labels).values():
        n_test, n_valid = _held_out(len(members), shares[1], shares[2])
        pieces = np.split(rng.permutation(members), [n_test, n_test + n_valid])
        for part, piece in zip(parts, (pieces[2], pieces[0], pieces[1]), strict=True):
            part.append(piece)
    train, test, valid = (np.sort(np.concatenate(part or [np.empty(0, np.int64)])) for part in parts)
    return train, test, valid


def pairs(labels: Labels, *, n_batches: int, seed: int, epoch: int) -> Indices:
    """Return int64 (n_batches, 2, n_classes): in each batch the anchors, then their positives, one pair per class.

    labels: int64 (n,). Classes stand in ascending order; the two of a pair are of one class and never the same.
    Raises ValueError naming a class that has fewer than two pictures.
    Follows https://keras.io/examples/vision/metric_learning/.
    """
    rng = np.random.default_rng((seed, epoch))
    classes = _by_class(labels)
    chosen = np.empty((n_batches, 2, len(classes)), np.int64)
    for column, (label, members) in enumerate(classes.items()):
        if len(members) < 2:
            raise ValueError(f"a pair needs two pictures of a class; class {label} has {len(members)}")
        anchors = rng.integers(len(members), size=n_batches)
        steps = rng.integers(1, len(members), size=n_batches)
        chosen[:, 0, column] = members[anchors]
        chosen[:, 1, column] = members[(anchors + steps) % len(members)]
    return chosen


def p_by_k(labels: Labels, *, n_classes: int, n_each: int, n_batches: int, seed: int, epoch: int) -> Indices:
    """Return int64 (n_batches, n_classes * n_each): in each batch n_each pictures of each of n_classes classes.

    labels: int64 (n,). The classes of a batch differ, and so do the pictures of a class; of a class with fewer than
    n_each all come, some of them again. The pictures of a class stand together.
    Raises ValueError if there are fewer than n_classes classes.
    Follows the balanced batches of https://arxiv.org/abs/1703.07737 (P classes, K pictures of each).
    """
    rng = np.random.default_rng((seed, epoch))
    members = list(_by_class(labels).values())
    if not 1 <= n_classes <= len(members):
        raise ValueError(f"expected 1 to {len(members)} classes in a batch, got {n_classes}")
    batches = np.empty((n_batches, n_classes, n_each), np.int64)
    for batch in batches:
        for row, chosen in enumerate(rng.choice(len(members), n_classes, replace=False)):
            batch[row] = _some_of(members[chosen], n_each, rng)
    return batches.reshape(n_batches, n_classes * n_each)


def shuffled(n: int, *, batch_size: int, seed: int, epoch: int) -> list[Indices]:
    """Return int64 arrays of batch_size indices, the last one possibly shorter, that hold each of 0 to n - 1 once.

    Raises ValueError if batch_size is below 1.
    """
    if batch_size < 1:
        raise ValueError(f"expected a batch_size of at least 1, got {batch_size}")
    order = np.random.default_rng((seed, epoch)).permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def _by_class(labels: Labels) -> dict[int, Indices]:
    """Return the indices of each class, classes in ascending order."""
    order = np.argsort(labels, kind="stable")
    values, starts = np.unique(labels[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=False))


def _held_out(n: int, test_share: float, valid_share: float) -> tuple[int, int]:
    if n == 1:
        return 0, 0
    if n == 2:
        return (1, 0) if test_share > 0 else (0, int(valid_share > 0))
    n_test, n_valid = (max(1, round(n * share)) if share > 0 else 0 for share in (test_share, valid_share))
    # Rounding up in a small class must leave one for train.
    n_test = min(n_test, n - 1 - min(n_valid, 1))
    return n_test, min(n_valid, n - 1 - n_test)


def _some_of(members: Indices, n: int, rng: np.random.Generator) -> Indices:
    if len(members) < n:
        return np.resize(rng.permutation(members), n)
    return rng.choice(members, n, replace=False)
