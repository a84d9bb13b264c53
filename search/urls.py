"""The addresses of the pages."""

from django.urls import path, register_converter

from search import health
from search.metrics import page as metrics
from search.views import (
    changing,
    datasets,
    deleted,
    duplicates,
    encoders,
    evaluations,
    explaining,
    exporting,
    images,
    import_reports,
    job_actions,
    jobs,
    judging,
    keeping,
    searching,
    selecting,
    statistics,
    tokens,
    training,
    upkeep,
    uploading,
)


class Version:
    """The first digits of an image's SHA-256: its address changes with its content."""

    regex = "[0-9a-f]{12}"

    def to_python(self, text: str) -> str:
        return text

    def to_url(self, text: str) -> str:
        return text


register_converter(Version, "version")

urlpatterns = [
    path("", searching.search, name="search"),
    path("results.<str:kind>", selecting.results_file, name="results-file"),
    path("by-link/", searching.search_by_link, name="search-by-link"),
    path("vote/", judging.vote, name="vote"),
    path("marks/", judging.keep_marks, name="keep-marks"),
    path("regions.json", explaining.regions, name="regions"),
    path("images/<int:pk>/why/", explaining.why, name="why"),
    path("selection/", selecting.selection, name="selection"),
    path("selection/undo/", changing.undo, name="undo-labels"),
    path("selection/restore/", changing.restore, name="restore-images"),
    path("query/<str:key>.jpg", searching.query_picture, name="query-picture"),
    path("images/<int:pk>/", images.image, name="image"),
    path("images/<int:pk>/picture-<version:version>.jpg", images.picture, name="picture"),
    path("images/<int:pk>/thumbnail-<version:version>.jpg", images.thumbnail, name="thumbnail"),
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/new/", keeping.new, name="new-dataset"),
    path("datasets/restore/", keeping.restore, name="restore-dataset"),
    path("datasets/<slug:slug>/edit/", keeping.edit, name="edit-dataset"),
    path("datasets/<slug:slug>/delete/", keeping.delete, name="delete-dataset"),
    path("datasets/<slug:slug>/upload/", uploading.upload, name="upload"),
    path("datasets/<slug:slug>/upload/begin/", uploading.begin, name="begin-upload"),
    path("datasets/<slug:slug>/upload/file/", uploading.send, name="upload-file"),
    path("datasets/<slug:slug>/upload/end/", uploading.end, name="end-upload"),
    path("datasets/<slug:slug>/uploads/<int:pk>/", uploading.job, name="upload-job"),
    path("datasets/<slug:slug>/uploads/<int:pk>/stop/", uploading.stop, name="stop-upload"),
    path("datasets/<slug:slug>/uploads/<int:pk>/repeat/", uploading.repeat, name="repeat-upload"),
    path("datasets/<slug:slug>/statistics/", statistics.statistics, name="statistics"),
    path("datasets/<slug:slug>/export/", exporting.export, name="export"),
    path("datasets/<slug:slug>/export/<str:kind>", exporting.export_file, name="export-file"),
    path("datasets/<slug:slug>/trash/", deleted.deleted, name="deleted"),
    path("datasets/<slug:slug>/trash/<int:pk>-<version:version>.jpg", deleted.thumbnail, name="deleted-thumbnail"),
    path("datasets/<slug:slug>/", datasets.dataset, name="dataset"),
    path("datasets/<slug:slug>/duplicates/", duplicates.duplicates, name="duplicates"),
    path("datasets/<slug:slug>/duplicates/decided/", duplicates.decisions, name="duplicate-decisions"),
    path("datasets/<slug:slug>/duplicates/<int:first>-<int:second>/", duplicates.compare, name="compare-duplicates"),
    path("datasets/<slug:slug>/evaluate/", evaluations.evaluate, name="evaluate"),
    path("datasets/<slug:slug>/comparison/", evaluations.comparison, name="comparison"),
    path("datasets/<slug:slug>/comparison.<str:kind>", evaluations.comparison_file, name="comparison-file"),
    path("evaluations/<int:pk>/", evaluations.evaluation, name="evaluation"),
    path("evaluations/<int:pk>.json", evaluations.evaluation_file, name="evaluation-file"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/<int:pk>/", jobs.job, name="job"),
    path("jobs/workers/", jobs.workers, name="workers"),
    path("jobs/<int:pk>/stop/", job_actions.stop, name="stop-job"),
    path("jobs/<int:pk>/repeat/", job_actions.repeat, name="repeat-job"),
    path("jobs/<int:pk>/try-again/", job_actions.try_again, name="try-again"),
    path("jobs/<int:pk>/discard/", job_actions.discard, name="discard-job"),
    path("jobs/<int:pk>/bring-back/", job_actions.bring_back, name="bring-back"),
    path("jobs/<int:pk>/report.<str:kind>", import_reports.import_report, name="import-report"),
    path("jobs/<int:pk>/go-on/", training.go_on, name="go-on-training"),
    path("jobs/<int:pk>/reconstructions.png", training.reconstructions, name="reconstructions"),
    path("train/", training.train, name="train"),
    path("encoders/", encoders.encoder_list, name="encoders"),
    path("encoders/install/", upkeep.install, name="install-encoder"),
    path("encoders/<slug:name>/", encoders.encoder, name="encoder"),
    path("encoders/<slug:name>/default/", encoders.make_default, name="make-default"),
    path("encoders/<slug:name>/embed/", upkeep.embed, name="embed"),
    path("encoders/<slug:name>/imports/", upkeep.embed_imports, name="embed-imports"),
    path("encoders/<slug:name>/remove/", upkeep.remove, name="remove-encoder"),
    path("account/tokens/", tokens.tokens, name="tokens"),
    path("account/tokens/<int:pk>/revoke/", tokens.revoke, name="revoke-token"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
]
