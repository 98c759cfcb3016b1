"""The files of ``tools/service`` are what systemd, Docker, Prometheus and Grafana take."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from mmgat.stream.bridges.prometheus.metrics import MetricState, metrics
from mmgat.stream.bridges.registry import BUILT_IN
from mmgat.stream.commands.bridge import command_of
from mmgat.stream.commands.listen import main as listen
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS, event

FOLDER = Path(__file__).parents[2] / "tools" / "service"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))


@pytest.mark.parametrize("unit", ["mmgat-stream.service", "mmgat-bridge@.service"])
def test_systemd_takes_the_units(unit: str, tmp_path: Path) -> None:
    commands = tmp_path / ".local" / "bin"
    commands.mkdir(parents=True)
    for name in ("mmgat-stream", "mmgat-bridge"):
        (commands / name).write_text("#!/bin/sh\n")
        (commands / name).chmod(0o755)
    found = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", FOLDER / unit],
        env=os.environ | {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert unit not in found.stderr, found.stderr
    assert found.returncode == 0, found.stderr


def test_no_container_runs_as_root() -> None:
    dockerfile = (FOLDER / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER [1-9]\d*$", dockerfile, re.MULTILINE)
    for name, service in COMPOSE["services"].items():
        assert service["image"] == "mmgat-stream" or not service["user"].startswith(
            ("0", "root")
        ), name


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    checked = subprocess.run(
        ["hadolint", FOLDER / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, "")


def test_no_container_loses_the_network_when_another_is_started_anew() -> None:
    shared = COMPOSE["services"]["network"]
    assert "network_mode" not in shared
    for name, service in COMPOSE["services"].items():
        assert service["restart"] == "unless-stopped", name
        if service is not shared:
            assert service["network_mode"] == "service:network", name


def test_the_health_of_a_container_is_asked_of_what_runs_in_it() -> None:
    asked = {
        name: service["healthcheck"]["test"]
        for name, service in COMPOSE["services"].items()
        if "test" in service.get("healthcheck", {})
    }
    assert set(COMPOSE["services"]) - set(asked) == {"network", "mqtt-bridge"}
    _, command, *arguments = asked["engine"]
    assert command == "mmgat-listen"
    listen.make_parser(click.Context(listen)).parse_args(arguments)
    for name in ("ws-bridge", "prometheus-bridge"):
        compile(asked[name][-1], name, "exec")


def test_ports_are_published_on_this_machine_alone() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_the_containers_mount_is_there() -> None:
    mounts = [m for s in COMPOSE["services"].values() for m in s.get("volumes", ()) if m[0] == "."]
    assert len(mounts) == 6
    for mount in mounts:
        assert (FOLDER / mount.split(":")[0]).is_file(), mount


def test_the_bridges_of_the_containers_have_the_options_they_are_started_with() -> None:
    started = []
    for service in COMPOSE["services"].values():
        if service.get("entrypoint", [""])[0] == "mmgat-bridge":
            _, name, *arguments = service["entrypoint"]
            command_of(name).make_parser(click.Context(command_of(name))).parse_args(arguments)
            started.append(name)
    assert sorted(started) == ["mqtt", "prometheus", "ws"]
    assert set(started) < set(BUILT_IN)


def test_prometheus_takes_its_configuration() -> None:
    command = ["promtool", "check", "config", FOLDER / "prometheus.yml"]
    checked = subprocess.run(command, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    state = MetricState()
    for signal in (HELLO, STATUS, ESTIMATE, event()):
        state.advance(signal)
    suffix = {"counter": "_total", "gauge": ""}
    known = {metric.name + suffix[metric.kind] for metric in metrics(state)}
    board = json.loads((FOLDER / "grafana" / "dashboard.json").read_text("utf-8"))
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"mmgat_\w+", target["expr"])
    }
    assert len(asked) >= 10
    assert asked <= known
