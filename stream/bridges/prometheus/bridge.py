"""Metrics over HTTP for Prometheus, through prometheus-client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import Meta

from mmgat.stream.bridges.base import Bridge, ReceiverAway, Signal, required
from mmgat.stream.bridges.prometheus.metrics import MetricState, metrics
from mmgat.stream.setting_types import SettingsGroup


class PrometheusSettings(SettingsGroup, frozen=True):
    """Where Prometheus scrapes."""

    host: Annotated[str, Meta(description="Address to listen on.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(description="TCP port to listen on.", ge=1, le=65_535)] = 9555


class PrometheusBridge(Bridge):
    """Serves counters, lag, liveness and scores as metrics; Grafana's dashboard shows them."""

    Settings = PrometheusSettings
    settings: PrometheusSettings

    def __init__(self, settings: PrometheusSettings) -> None:
        super().__init__(settings)
        self._client = required("prometheus_client", "prometheus-client", "prometheus")
        self._families = required("prometheus_client.core", "prometheus-client", "prometheus")
        self._state, self._lock = MetricState(), threading.Lock()
        self._registry = self._client.CollectorRegistry()
        self._registry.register(self)
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @property
    def receiver(self) -> str:
        """The URL to scrape."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"http://{host}:{self.settings.port}/metrics"

    def open(self) -> None:
        """Listens, on a thread of its own."""
        settings = self.settings
        try:
            self._server, self._thread = self._client.start_http_server(
                settings.port, settings.host, registry=self._registry
            )
        except OSError as error:
            raise ReceiverAway(
                f"expected {settings.host} port {settings.port} to be free, found "
                f"{error.strerror or error}: choose another with --port"
            ) from None

    def send(self, signal: Signal) -> None:
        """Takes note of a signal; the next scrape shows it."""
        with self._lock:
            self._state.advance(signal)

    def close(self) -> None:
        """Gives the port back."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None

    def describe(self) -> list[Any]:
        """Nothing is known before the first message; prometheus-client asks."""
        return []

    def collect(self) -> Iterator[Any]:
        """The metrics as prometheus-client's families; it calls this at each scrape."""
        kinds = {
            "counter": self._families.CounterMetricFamily,
            "gauge": self._families.GaugeMetricFamily,
        }
        with self._lock:
            found = metrics(self._state, self.not_received)
        for metric in found:
            family = kinds[metric.kind](metric.name, metric.help, labels=metric.labels)
            for labels, value in metric.samples:
                family.add_metric(labels, value)
            yield family
