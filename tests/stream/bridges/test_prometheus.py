"""The Prometheus bridge: its metrics, and that Prometheus itself scrapes them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import msgspec
import pytest

from mmgat.stream.bridges.base import SourceLost
from mmgat.stream.bridges.prometheus.metrics import MAX_LOST, MetricState, metrics
from tests.stream.bridges.running import PATIENCE_S, Process, bridge, free_port, publishing
from tests.stream.bus.messages import ESTIMATE, HELLO, STATUS, event


def found(state: MetricState, name: str) -> dict[tuple[str, ...], float]:
    (metric,) = [metric for metric in metrics(state, 3) if metric.name == name]
    return dict(metric.samples)


@pytest.fixture
def state() -> MetricState:
    state = MetricState()
    late = msgspec.structs.replace(STATUS, lag_ms=250.0, liveness="alarmed")
    for signal in (HELLO, ESTIMATE, late, event(), event(event="off"), event(id="a-2")):
        state.advance(signal)
    return state


def test_counters_are_the_engines_own(state: MetricState) -> None:
    assert found(state, "mmgat_samples")["lab", "captured"] == 3
    assert found(state, "mmgat_samples")["lab", "dropped"] == 1


def test_times_are_seconds(state: MetricState) -> None:
    assert found(state, "mmgat_lag_seconds") == {("lab",): 0.25}


def test_liveness_is_one_of_its_states(state: MetricState) -> None:
    assert [s for (_, s), value in found(state, "mmgat_liveness").items() if value] == ["alarmed"]


def test_instruments_have_a_score_a_state_and_a_count(state: MetricState) -> None:
    assert found(state, "mmgat_score") == {("lab", "a"): 0.75}
    assert found(state, "mmgat_active") == {("lab", "a"): 1.0}
    assert found(state, "mmgat_onsets") == {("lab", "a"): 2.0}


def test_an_instrument_that_has_not_begun_is_counted_as_zero() -> None:
    state = MetricState()
    state.advance(ESTIMATE)
    assert found(state, "mmgat_onsets") == {("lab", "a"): 0.0}


def test_a_source_that_is_lost_is_down_and_has_no_values(state: MetricState) -> None:
    state.advance(SourceLost(source="lab"))
    assert found(state, "mmgat_up") == {("lab",): 0.0}
    assert found(state, "mmgat_score") == found(state, "mmgat_lag_seconds") == {}


def test_sources_that_were_lost_long_ago_are_forgotten(state: MetricState) -> None:
    for number in range(MAX_LOST + 1):
        state.advance(msgspec.structs.replace(STATUS, source=str(number)))
        state.advance(msgspec.structs.replace(ESTIMATE, source=str(number)))
        state.advance(SourceLost(source=str(number)))
    assert set(found(state, "mmgat_up")) == {("lab",), *((str(n + 1),) for n in range(MAX_LOST))}
    assert len(found(state, "mmgat_onsets")) == MAX_LOST + 1


def test_what_was_lost_on_the_way_is_counted(state: MetricState) -> None:
    assert found(state, "mmgat_bridge_not_received") == {(): 3.0}


def asked(port: int, query: str) -> list[dict[str, object]]:
    """What Prometheus answers; [] while it does not."""
    text = urllib.parse.urlencode({"query": query})
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{text}") as answer:
            result: list[dict[str, object]] = json.load(answer)["data"]["result"]
            return result
    except OSError:
        return []


def test_prometheus_scrapes_it(tmp_path: Path) -> None:
    port, own = free_port(), free_port()
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(
        f"scrape_configs: [{{job_name: m, scrape_interval: 200ms, scrape_timeout: 200ms, "
        f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]"
    )
    with (
        publishing("lab") as publisher,
        bridge("prometheus", publisher.address, "--port", port),
        Process(
            "prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{own}",
        ),
    ):  # fmt: skip
        publisher(event())
        until = time.monotonic() + PATIENCE_S
        query = 'mmgat_onsets_total{source="lab",label="a"} == 1'
        while not (result := asked(own, query)) and time.monotonic() < until:
            time.sleep(0.05)
        assert result
        assert asked(own, 'mmgat_up{source="lab"} == 1')
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as scraped:
            text = scraped.read()
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_without_its_library_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['prometheus_client'] = None; "
        "from mmgat.stream.commands.bridge import main; main(['prometheus'])"
    )
    with Process(sys.executable, "-c", code) as process:
        line = process.err.until("pip install")
        assert line.endswith("install it with pip install 'mmgat-stream[prometheus]'")
        assert process.popen.wait(PATIENCE_S) == 1
