"""The addresses of the pages."""

from django.urls import path

from search import health
from search.views import datasets, encoders, images, jobs, searching

urlpatterns = [
    path("", searching.search, name="search"),
    path("query/<str:key>.jpg", searching.query_picture, name="query-picture"),
    path("images/<int:pk>/", images.image, name="image"),
    path("images/<int:pk>/picture-<str:version>.jpg", images.picture, name="picture"),
    path("images/<int:pk>/thumbnail-<str:version>.jpg", images.thumbnail, name="thumbnail"),
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/<slug:slug>/", datasets.dataset, name="dataset"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/<int:pk>/", jobs.job, name="job"),
    path("encoders/", encoders.encoder_list, name="encoders"),
    path("encoders/<slug:name>/default/", encoders.make_default, name="make-default"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
]
