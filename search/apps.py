"""The app that owns the rows: datasets, images, encoders, embeddings, jobs."""

from django.apps import AppConfig


class SearchConfig(AppConfig):
    name = "search"
    verbose_name = "ImgSim"

    def ready(self) -> None:
        # They register themselves, and may be imported only when the apps are ready.
        from search import checks  # noqa: F401
        from search.files import cleaning  # noqa: F401
        from search.logs import tasks  # noqa: F401
