"""Pages in the visitor's language, and English for everything that programs, commands and logs read."""

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import translation

from search.curating import browsing
from search.models import Dataset, Encoder, Image, IndexAudit, Job, Refusal
from search.quality import auditing
from search.quality.calibrating import Scale
from search.work import jobs

AddImage = Callable[..., Image]
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.mark.usefixtures("encoder", "dataset")
@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/datasets/", "Sammlungen"),
        ("/datasets/colours/", "Diese Sammlung ist leer"),
        ("/encoders/", "Ein Encoder ist das Netz"),
        ("/encoders/colours/", "0 von 0 Bildern"),
        ("/login/", "Passwort"),
        ("/nowhere/", "Diese Seite gibt es nicht"),
    ],
)
def test_a_page_answers_in_the_language_of_the_browser(client: Client, address: str, words: str) -> None:
    answer = client.get(address, headers=GERMAN)
    assert '<html lang="de">' in answer.text
    assert words in answer.text
    assert answer["Content-Language"] == "de"
    assert "Accept-Language" in answer["Vary"]
    assert '<html lang="en">' in client.get(address, headers={"Accept-Language": "fr"}).text


@pytest.mark.django_db
def test_the_switch_in_the_footer_wins_over_the_browser() -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.get("/datasets/", headers=GERMAN).text
    form = page[page.index('<form class="languages"') : page.index("</form>", page.index('<form class="languages"'))]
    assert re.search(r'<button name="language" value="de" lang="de" aria-current="true">Deutsch</button>', form)
    assert '<button name="language" value="en" lang="en">English</button>' in form
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[1]  # type: ignore[index]
    sent = {"language": "en", "csrfmiddlewaretoken": token}
    came_from = {"Referer": "http://testserver/datasets/?page=2"}
    answer = client.post("/language/", sent, headers=GERMAN | came_from)
    assert answer["Location"] == "http://testserver/datasets/?page=2"
    assert answer.cookies["django_language"]["max-age"] == 31_536_000
    assert '<html lang="en">' in client.get("/datasets/", headers=GERMAN).text


def test_a_page_that_broke_has_no_switch_and_is_still_told_in_german() -> None:
    from django.template.loader import render_to_string

    with translation.override("de"):
        page = render_to_string("500.html")
    assert "Hier ist etwas schiefgegangen" in page
    assert "languages" not in page


def test_counts_have_their_plurals_and_numbers_their_points(
    client: Client, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_image("red")
    assert "1 Bild<" in client.get("/datasets/", headers=GERMAN).text
    add_image("blue")
    assert "2 Bilder<" in client.get("/datasets/", headers=GERMAN).text
    counts = {Dataset.objects.get().pk: {Image.Status.READY: 12_345, Image.Status.PENDING: 1_234}}
    monkeypatch.setattr(browsing, "counts", lambda ids: counts)
    page = client.get("/datasets/", headers=GERMAN).text
    assert "13.579 Bilder" in page
    assert '<progress max="13579" value="12345"' in page
    assert "13,579 images" in client.get("/datasets/").text


def test_refusals_and_messages_of_jobs_are_told(admin_client: Client, add_image: AddImage) -> None:
    job = jobs.begin(Job.Kind.IMPORT, {"dataset": "Colours"})
    Refusal.objects.create(job=job, source="a.jpg", code="empty", reason="The file is empty.")
    add_image("red", embedded=False, job=job, status="refused", error_detail="The picture has no pixels.")
    jobs.fail(job, "Stopped by hand. Import again to go on.")
    page = admin_client.get(f"/jobs/{job.pk}/", headers=GERMAN).text
    for words in ("Die Datei ist leer.", "Das Bild hat keine Pixel.", "Von Hand angehalten.", "Fehlgeschlagen"):
        assert words in page, words
    assert "Die Datei ist leer." not in admin_client.get(f"/jobs/{job.pk}/").text


def test_forms_refuse_in_german(admin_client: Client, dataset: Dataset, encoder: Encoder) -> None:
    answer = admin_client.post("/datasets/colours/evaluate/", {"encoders": ["colours"]}, headers=GERMAN)
    assert answer.status_code == 422
    assert "Colours hat kein fertiges Bild." in answer.text
    answer = admin_client.post("/datasets/colours/evaluate/", {"encoders": ["gone"]}, headers=GERMAN)
    assert "Einen Encoder namens gone gibt es nicht mehr." in answer.text


def test_the_admin_is_german_too(admin_client: Client, add_image: AddImage) -> None:
    image = add_image("red")
    page = admin_client.get("/admin/search/image/", headers=GERMAN).text
    assert "Gewählte Bilder neu einbetten" in page
    assert "Sammlung" in page
    sent = {"action": "set_label", "label": "warm", "_selected_action": [image.pk]}
    told = admin_client.post("/admin/search/image/", sent, headers=GERMAN, follow=True).text
    assert "1 Bild hat jetzt das Label" in told


def test_what_is_asked_for_in_german_is_kept_in_english(
    admin_client: Client, add_image: AddImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.work import queue

    monkeypatch.setattr(queue, "send_evaluate", lambda job_id: None)
    for colour in ("red", "blue"):
        add_image(colour, label=colour)
    admin_client.post("/datasets/colours/evaluate/", {"encoders": ["colours"]}, headers=GERMAN)
    assert Job.objects.get().parameters["protocol"] == "each against all others"


@pytest.mark.django_db
def test_programs_are_answered_in_english(client: Client, add_image: AddImage) -> None:
    add_image("red")
    refused = client.post("/api/v1/search", {"image_id": 0}, headers=GERMAN)
    assert refused.json()["detail"].startswith("There is no image")
    assert translation.get_language() == "en"
    assert "Content-Language" not in refused
    assert "Accept-Language" not in refused.get("Vary", "")
    assert '"alive"' in client.get("/healthz", headers=GERMAN).text


def test_a_picture_says_nothing_of_languages(client: Client, add_image: AddImage) -> None:
    image = add_image("red")
    answer = client.get(image.thumbnail_url, headers=GERMAN)
    assert "Content-Language" not in answer
    assert "Accept-Language" not in answer.get("Vary", "")


def test_what_a_hit_is_worth_is_german_on_pages_only() -> None:
    found = {"distances": [0.0, 1.0], "probabilities": [0.9, 0.9]}
    scale = Scale(chances=found, random_pairs={}, tells_copies=True)
    worth = scale.of(0.5)
    assert worth is not None
    assert worth.words == "90\N{NO-BREAK SPACE}% likely the same"
    with translation.override("de"):
        assert worth.words == "zu 90\N{NO-BREAK SPACE}% dasselbe"
        assert worth.meaning.startswith("Sehr wahrscheinlich: von so nahen Treffern")


def test_commands_and_logs_stay_english(
    client: Client, add_image: AddImage, tmp_path: Any, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for colour in ("red", "blue"):
        add_image(colour, label=colour)
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    call_command("evaluate_search", dataset="colours", json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "each against all others" in json.dumps(told)
    call_command("audit_index")
    assert "index" in capsys.readouterr().out
    found = IndexAudit(encoder=Encoder.objects.get(), recall=0.5, k=10, n_queries=5, n_vectors=9, exact_ms=1.0)
    monkeypatch.setattr(auditing, "current", lambda encoder: found)
    with caplog.at_level(logging.WARNING, logger="search"):
        auditing.audit_due()
    assert "Build it anew" in auditing.advice(found)


def test_files_for_programs_stay_english_and_the_report_is_german(client: Client, add_image: AddImage) -> None:
    for colour in ("red", "blue", "orange", "navy"):
        add_image(colour, label="warm" if colour in {"red", "orange"} else "cold")
    call_command("evaluate_search", dataset="colours")
    address = "/datasets/colours/comparison."
    assert client.get(f"{address}json", headers=GERMAN).json()["protocol"] == "each against all others"
    assert "in the gallery. Sorted by mAP." in client.get(f"{address}md", headers=GERMAN).text
    assert "each against all others" in client.get(f"{address}csv", headers=GERMAN).text
    report = client.get(f"{address}html", headers=GERMAN).text
    assert '<html lang="de">' in report
    assert "jedes gegen alle anderen" in report
