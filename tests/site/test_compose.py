"""docker-compose.yml, the Dockerfile and .env.example: valid, complete, and in step with each other."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

PROJECT = Path(__file__).parents[2]
COMPOSE = PROJECT / "docker-compose.yml"
SECRETS = {"SECRET_KEY": "secret", "POSTGRES_PASSWORD": "secret"}
SERVICES = {"db", "redis", "prepare", "web", "worker", "trainer", "beat", "worker-gpu", "trainer-gpu"}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*)|:\?[^}]*)?\}")


def has_docker_compose() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(interpolated(COMPOSE.read_text()))["services"]
    return services


def interpolated(text: str) -> str:
    """Fill in the variables as Compose does for a machine that sets none but the secrets."""
    return VARIABLE.sub(lambda found: SECRETS.get(found["name"], found["default"] or ""), text)


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    environment: dict[str, str] = service.get("environment", {})
    return environment


def test_compose_accepts_it() -> None:
    """Asked of docker compose where it is installed, and of its specification elsewhere."""
    if has_docker_compose():
        command = ["docker", "compose", "--file", str(COMPOSE), "--profile", "gpu", "config", "--quiet"]
        finished = subprocess.run(command, env=os.environ | SECRETS, capture_output=True, text=True, check=False)
        assert finished.returncode == 0, finished.stderr
    resolved = yaml.safe_load(interpolated(COMPOSE.read_text()))  # the library knows no `<<`, which YAML resolves
    assert set(PyCompose.from_yaml(yaml.safe_dump(resolved)).service_names()) == SERVICES


def test_every_lasting_service_has_a_health_check_and_comes_back(services: dict[str, dict[str, Any]]) -> None:
    lasting = {name: service for name, service in services.items() if name != "prepare"}
    assert [name for name, service in lasting.items() if not service.get("healthcheck", {}).get("test")] == []
    assert [name for name, service in lasting.items() if service.get("restart") != "unless-stopped"] == []


def test_the_site_starts_after_the_tables_are_made(services: dict[str, dict[str, Any]]) -> None:
    for name in ("web", "worker", "trainer", "beat", "worker-gpu", "trainer-gpu"):
        assert services[name]["depends_on"]["prepare"]["condition"] == "service_completed_successfully"
    assert services["prepare"]["depends_on"]["db"]["condition"] == "service_healthy"


@pytest.mark.parametrize("name", ["worker-gpu", "trainer-gpu"])
def test_what_runs_on_a_gpu_asks_for_one_and_starts_only_with_its_profile(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    service = services[name]
    assert service["profiles"] == ["gpu"]
    assert service["image"] == "imgsim-gpu"
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def test_each_image_is_built_once_and_never_looked_for_elsewhere(services: dict[str, dict[str, Any]]) -> None:
    built = {name: service for name, service in services.items() if service["image"].startswith("imgsim")}
    assert {name: one["build"] for name, one in built.items() if "build" in one} == {
        "prepare": ".",
        "worker-gpu": {"context": ".", "args": {"REQUIREMENTS": "requirements-gpu.lock"}},
    }
    assert {name: one["pull_policy"] for name, one in built.items()} == {
        name: "build" if "build" in one else "never" for name, one in built.items()
    }


def test_only_the_worker_beside_a_gpu_embeds_on_one(services: dict[str, dict[str, Any]]) -> None:
    chosen = {name: environment_of(service).get("EMBED_ON") for name, service in services.items()}
    assert {name for name, processor in chosen.items() if processor} == {"worker-gpu"}


def test_every_named_volume_is_declared(services: dict[str, dict[str, Any]]) -> None:
    declared = set(yaml.safe_load(COMPOSE.read_text())["volumes"])
    used = {mount.partition(":")[0] for service in services.values() for mount in service.get("volumes", [])}
    assert used == declared


def test_no_secret_has_a_default() -> None:
    defaults = {found["name"]: found["default"] for found in VARIABLE.finditer(COMPOSE.read_text())}
    assert [defaults[name] for name in SECRETS] == [None, None]


def test_only_the_site_is_published_and_only_to_this_machine(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"]}


def test_each_variable_of_the_compose_file_stands_in_env_example(services: dict[str, dict[str, Any]]) -> None:
    example = set(re.findall(r"^(\w+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    asked = {found["name"] for found in VARIABLE.finditer(COMPOSE.read_text())}
    given = set(environment_of(services["web"]))
    assert asked | given <= example


def test_the_image_runs_as_an_ordinary_user_and_checks_its_health() -> None:
    final_stage = (PROJECT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    assert "\nUSER imgsim" in final_stage
    assert "\nHEALTHCHECK " in final_stage
    assert "collectstatic" in final_stage
    assert "apt-get" not in final_stage


def test_no_secret_and_no_data_goes_into_the_image() -> None:
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert {".env", ".git", ".venv", "var"} <= set(ignored)
