"""Tests of the command that installs an encoder, without installing one."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from embeddings.specs import SPECS


def test_its_help_lists_every_encoder_and_where_its_weights_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        call_command("install_encoder", "--help")
    lines = capsys.readouterr().out.splitlines()
    for spec in SPECS.values():
        line = lines.index(f"  {spec.name:<18} {spec.description}")
        assert lines[line + 1].strip() == f"from {spec.source}"


def test_it_says_what_is_wrong_with_a_file(tmp_path: Path, db: None) -> None:
    (tmp_path / "net.pt").write_bytes(b"not weights")
    with pytest.raises(CommandError, match=r"net\.pt is no weights of vit_b16: expected a file in \.safetensors"):
        call_command("install_encoder", "vit_b16", weights=tmp_path / "net.pt")
