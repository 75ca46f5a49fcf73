"""What the containers would run exists, and nothing about them is careless."""

import importlib
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = ("migrate", "api", "dispatcher", "worker")


def test_the_services_are_those_of_the_house() -> None:
    assert set(COMPOSE["services"]) == {"postgres", "redis", *OURS}


@pytest.mark.parametrize("service", OURS)
def test_each_service_has_a_command_that_exists(service: str) -> None:
    program, *arguments = COMPOSE["services"][service]["command"]
    found = shutil.which(program, path=str(Path(sys.executable).parent))
    assert found is not None, f"{program} is installed by no package of ours"
    if arguments[0] == "-m":
        assert callable(importlib.import_module(arguments[1]).main)
    if arguments[0] == "--factory":
        module, _, name = arguments[1].partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_only_the_api_is_published_and_on_loopback_alone() -> None:
    published = {name: service.get("ports", []) for name, service in COMPOSE["services"].items()}
    assert {name for name, ports in published.items() if ports} == {"api"}
    assert all(port.startswith("127.0.0.1:") for port in published["api"])


def test_there_is_no_default_password() -> None:
    assert (ROOT / ".env.example").read_text().splitlines()[-2:] == ["POSTGRES_PASSWORD=", "REDIS_PASSWORD="]
    text = (ROOT / "docker-compose.yml").read_text()
    asked = [part.split("}")[0] for part in text.split("${")[1:]]
    assert asked
    assert all(":?" in variable for variable in asked)


def test_the_image_does_not_run_as_root() -> None:
    assert "\nUSER mmix\n" in (ROOT / "Dockerfile").read_text()
