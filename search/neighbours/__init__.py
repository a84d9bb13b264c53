"""The only place where images are ordered by their distance to a vector: which may answer, and which are nearest."""

from search.neighbours.counting import compact, sizes, totals
from search.neighbours.each import index_serves_each, nearest_of_each
from search.neighbours.hits import Answer, Hit
from search.neighbours.planning import Plan, index_name, plan
from search.neighbours.ranking import MAX_HITS, Place, nearest
from search.neighbours.scope import Scope, conditions, count, fitting_images, parameters

__all__ = [
    "MAX_HITS",
    "Answer",
    "Hit",
    "Place",
    "Plan",
    "Scope",
    "compact",
    "conditions",
    "count",
    "fitting_images",
    "index_name",
    "index_serves_each",
    "nearest",
    "nearest_of_each",
    "parameters",
    "plan",
    "sizes",
    "totals",
]
