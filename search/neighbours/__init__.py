"""The only place where images are ordered by their distance to a vector: which may answer, and which are nearest."""

from search.neighbours.hits import Answer, Hit
from search.neighbours.ranking import MAX_HITS, Place, index_name, nearest
from search.neighbours.scope import Scope, count, image_conditions, in_scope, parameters

__all__ = [
    "MAX_HITS",
    "Answer",
    "Hit",
    "Place",
    "Scope",
    "count",
    "image_conditions",
    "in_scope",
    "index_name",
    "nearest",
    "parameters",
]
