"""Tests of the facts about each encoder."""

import re
from pathlib import Path

import pytest

import embeddings
from embeddings.specs import SPECS, EncoderSpec, UnknownEncoder, spec_for

DATA = Path(embeddings.__path__[0]) / "data"


def test_it_finds_a_spec_by_name() -> None:
    assert spec_for("mobilenet_v2").dim == 1280


def test_it_names_the_known_encoders_when_asked_for_another() -> None:
    with pytest.raises(UnknownEncoder, match=r"'resnet51'; known: efficientnet_lite0, mobilenet_v2"):
        spec_for("resnet51")


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
def test_every_source_is_pinned_by_version_and_digest(spec: EncoderSpec) -> None:
    assert spec.source is not None
    assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", spec.source.requirement)
    assert re.fullmatch(r"[0-9a-f]{64} [0-9a-f]{64}", f"{spec.source.wheel_sha256} {spec.source.member_sha256}")


def test_every_class_has_a_name_of_its_own() -> None:
    spec = spec_for("efficientnet_lite0")
    names = (DATA / str(spec.labels)).read_text(encoding="utf-8").splitlines()
    assert len(names) == len(set(names)) == spec.n_classes
