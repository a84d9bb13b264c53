"""Tests of the description of an installed encoder."""

import json
from pathlib import Path

import pytest

from embeddings.specs import SPECS, EncoderSpec
from embeddings.stored import EncoderDamaged, StoredEncoder


def describe(spec: EncoderSpec) -> StoredEncoder:
    return StoredEncoder(
        spec=spec, weights_sha256="0" * 64, files={}, parity={"f32": 1.0}, n_samples=1, versions={"keras": "3"}
    )


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
def test_it_reads_back_what_it_wrote(spec: EncoderSpec, tmp_path: Path) -> None:
    describe(spec).write(tmp_path)
    assert StoredEncoder.read(tmp_path) == describe(spec)


def changed(folder: Path, kind: str | None) -> None:
    """Write a description with another kind of source, or none, as there was before there were several."""
    describe(SPECS["mobilenet_v2"]).write(folder)
    path = folder / "mobilenet_v2.json"
    fields = json.loads(path.read_text())
    fields["spec"]["source"].pop("kind")
    if kind is not None:
        fields["spec"]["source"]["kind"] = kind
    path.write_text(json.dumps(fields))


def test_it_reads_a_description_from_before_there_were_kinds_of_sources(tmp_path: Path) -> None:
    changed(tmp_path, None)
    assert StoredEncoder.read(tmp_path).spec == SPECS["mobilenet_v2"]


def test_it_says_so_where_it_does_not_know_the_kind_of_source(tmp_path: Path) -> None:
    changed(tmp_path, "pigeon")
    with pytest.raises(EncoderDamaged, match=r"mobilenet_v2\.json cannot be read \('pigeon'\)"):
        StoredEncoder.read(tmp_path)
