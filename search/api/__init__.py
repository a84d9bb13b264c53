"""The API for programs, `/api/v1`: a file for each kind of thing, and what they share.

`problems` and `answering` tell what goes wrong, `access` knows who asks, `describing` makes the description.
"""

from ninja.openapi.docs import Swagger

from search.api import datasets, duplicates, encoders, evaluations, images, jobs, problems, searching
from search.api import uploading as uploading  # adds its address to those of the images
from search.api.describing import DescribedAPI, JsonOnly

api = DescribedAPI(
    title="ImgSim",
    version="1",
    description="Find the images most like a picture, in your own galleries; add images, and look after them.",
    docs=Swagger(settings={"persistAuthorization": True}),
    parser=JsonOnly(),
)
problems.handle(api)
api.add_router("/v1/search", searching.router)
api.add_router("/v1/datasets", datasets.router)
api.add_router("/v1/datasets", duplicates.router)
api.add_router("/v1", images.router)
api.add_router("/v1/jobs", jobs.router)
api.add_router("/v1/encoders", encoders.router)
api.add_router("/v1/evaluations", evaluations.router)

__all__ = ["api"]
