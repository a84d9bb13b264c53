"""The client in docs/, run against a real server."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from search import embedding, tokens
from search.models import Encoder, Image
from tests.conftest import png
from tests.running import api_client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def client() -> Any:
    return api_client()


@pytest.fixture
def secret() -> str:
    chief = get_user_model().objects.create_user("chief", is_staff=True, is_superuser=True)
    return tokens.make(chief, "client", ["read", "write"], timedelta(days=1)).secret


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / 'a "red" one.png'
    path.write_bytes(png("red"))
    return path


@pytest.fixture
def at_once(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Embed what is sent to the workers at once."""
    monkeypatch.setattr(
        "search.work.queue.send_embed", lambda encoder_id, image_ids, *_: embedding.embed(encoder, image_ids)
    )


@pytest.mark.usefixtures("at_once")
def test_it_uploads_finds_labels_deletes_and_restores(
    client: Any, live_server: Any, secret: str, picture: Path, add_image: Callable[..., Image]
) -> None:
    others = [add_image(colour).pk for colour in ("darkred", "blue")]
    server = client.ImgSim(live_server.url, secret)
    assert server.make_dataset("Birds")["slug"] == "birds"
    image = server.wait(server.upload("birds", picture, label="robin")["id"])
    assert (image["status"], image["label"], image["name"]) == ("ready", "robin", "a %22red%22 one.png")
    assert [hit["id"] for hit in server.like_picture(picture, k=2)] == [image["id"], others[0]]
    assert [hit["id"] for hit in server.like_images([image["id"]], [others[1]])] == [others[0]]
    assert server.label(image["id"], "wren")["label"] == "wren"
    assert [one["id"] for one in server.images("birds", label="wren")] == [image["id"]]
    server.delete(image["id"])
    with pytest.raises(client.Refused, match="There is no image") as refused:
        server.image(image["id"])
    assert (refused.value.status, refused.value.code) == (404, "not_found")
    assert server.restore(image["id"])["label"] == "wren"


@pytest.mark.usefixtures("at_once")
def test_it_goes_on_from_page_to_page(client: Any, live_server: Any, dataset: Any) -> None:
    Image.objects.bulk_create(
        Image(dataset=dataset, sha256=f"{n:064}", source=f"{n}.png", format="PNG", width=1, height=1, n_bytes=1)
        for n in range(120)
    )
    assert len(list(client.ImgSim(live_server.url).images("colours"))) == 120


@pytest.mark.usefixtures("at_once")
def test_it_is_a_program_too(
    client: Any, live_server: Any, secret: str, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client.main(live_server.url, secret, "Birds", str(picture))
    client.main(live_server.url, secret, "Birds", str(picture))
    told = capsys.readouterr().out
    assert told.count("of birds: ready") == 2
    assert "1.000  a %22red%22 one.png" in told
