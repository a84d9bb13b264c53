"""Tests of the facts about each encoder."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import embeddings
from embeddings.specs import (
    SPECS,
    EncoderSpec,
    HubSource,
    KerasSource,
    PyPISource,
    Source,
    UnknownEncoder,
    spec_for,
)

DATA = Path(embeddings.__path__[0]) / "data"


def test_it_finds_a_spec_by_name() -> None:
    assert spec_for("mobilenet_v2").dim == 1280


def test_it_names_the_known_encoders_when_asked_for_another() -> None:
    with pytest.raises(UnknownEncoder, match=r"'resnet51'; known: dinov2_base, .*mobilenet_v2"):
        spec_for("resnet51")


def of_kind(kind: type[Source]) -> list[object]:
    return [pytest.param(spec, id=name) for name, spec in SPECS.items() if isinstance(spec.source, kind)]


@pytest.mark.parametrize("spec", of_kind(PyPISource))
def test_every_wheel_is_pinned_by_version_and_digest(spec: EncoderSpec) -> None:
    assert isinstance(spec.source, PyPISource)
    assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", spec.source.requirement)
    assert re.fullmatch(r"[0-9a-f]{64} [0-9a-f]{64}", f"{spec.source.wheel_sha256} {spec.source.member_sha256}")


@pytest.mark.parametrize(("name", "module"), [("mobilenet", "mobilenet"), ("resnet50", "resnet"), ("vgg16", "vgg16")])
def test_the_address_and_the_digest_are_those_that_keras_has(name: str, module: str) -> None:
    source = spec_for(name).source
    assert isinstance(source, KerasSource)
    base, _, file_name = source.url.rpartition("/")
    code = Path(import_module(f"keras.src.applications.{module}").__file__ or "").read_text(encoding="utf-8")
    code = re.sub(r'"\s+"', "", code)
    assert f"{base}/" in code
    assert source.md5 is None or source.md5 in code
    assert file_name.endswith(("_notop.h5", "_no_top.h5"))


@pytest.mark.parametrize("spec", of_kind(HubSource))
def test_every_model_of_the_hub_has_its_address(spec: EncoderSpec) -> None:
    assert re.fullmatch(r"https://huggingface\.co/[\w-]+/[\w-]+/resolve/main/model\.safetensors", str(spec.source))


def test_what_was_trained_without_labels_is_not_called_an_imagenet_network() -> None:
    description = spec_for("resnet50_augnet").description
    assert "without labels" in description
    assert "ImageNet" not in description


def test_every_class_has_a_name_of_its_own() -> None:
    spec = spec_for("efficientnet_lite0")
    names = (DATA / str(spec.labels)).read_text(encoding="utf-8").splitlines()
    assert len(names) == len(set(names)) == spec.n_classes
