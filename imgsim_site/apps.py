"""The app of the site itself, which has no rows: it sees to what every process needs at its start."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "imgsim_site"

    def ready(self) -> None:
        from imgsim_site import translations

        translations.compile_stale()
