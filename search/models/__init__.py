"""The rows: datasets, images, encoders, jobs, evaluations, judgements, tokens. What is done with them is elsewhere."""

from search.models.duplicates import DuplicateDecision, DuplicatePair, DuplicateReview
from search.models.encoders import Embedding, EmbeddingCount, Encoder
from search.models.galleries import Dataset, DatasetQuerySet, Image
from search.models.jobs import Job, JobLine, Refusal
from search.models.judgements import Mark, Vote
from search.models.quality import Calibration, Evaluation, IndexAudit
from search.models.tokens import ApiToken

__all__ = [
    "ApiToken",
    "Calibration",
    "Dataset",
    "DatasetQuerySet",
    "DuplicateDecision",
    "DuplicatePair",
    "DuplicateReview",
    "Embedding",
    "EmbeddingCount",
    "Encoder",
    "Evaluation",
    "Image",
    "IndexAudit",
    "Job",
    "JobLine",
    "Mark",
    "Refusal",
    "Vote",
]
