"""What is drawn: matrices of more labels than can be shown keep the shares of whole rows."""

import numpy as np

from embeddings.evaluation.measuring import Measured
from search.evaluation import describing
from search.reports import matrix
from search.text import counted


def test_a_matrix_of_many_labels_tells_shares_of_whole_rows() -> None:
    n_labels, n = 250, 500
    labels = np.arange(n) % n_labels
    gallery_labels = np.arange(n_labels)
    neighbours = np.random.default_rng(0).integers(n_labels, size=(n, 10))
    nothing = np.zeros(0)
    measured = Measured(
        names=("map",),
        figures=np.ones((n, 1)),
        ks=(1,),
        n_voters=10,
        neighbours=neighbours,
        distances=np.zeros((n, 10)),
        n_relevant=np.ones(n, np.int64),
        precisions=nothing,
        edges=nothing,
        same_pairs=np.zeros(0, np.int64),
        other_pairs=np.zeros(0, np.int64),
    )
    found = describing.confusion(measured, labels, [f"c{code}" for code in range(n_labels)], gallery_labels)
    drawn = matrix.confusion(found)
    assert (len(drawn.labels), drawn.n_classes) == (200, 250)
    # Two queries of a label have twenty neighbours, whether all are shown or not.
    assert all(" of 20 neighbours" in cell.title for cell in drawn.cells)


def test_things_are_counted_in_words() -> None:
    assert [counted(n, "query", "queries") for n in (0, 1, 2_485)] == ["0 queries", "1 query", "2,485 queries"]
    assert counted(3, "image") == "3 images"
