"""Metrics for Prometheus: the installation's from the database, the requests' from this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from automations.domain.metrics import BOUNDS, CounterValue
from automations.errors import DatabaseUnavailable
from automations.services.audit import metrics
from automations.services.audit.metrics import Totals

log = logging.getLogger(__name__)

CACHE_TTL = 5.0
"""Seconds that values are given again, however many ask."""
_REQUEST_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """What one bridge tells Prometheus."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Installation())
        self._dispatching = _Dispatching()
        self._registry.register(self._dispatching)
        self._requests = Histogram(
            "automations_http_request_duration_seconds",
            "Requests that this bridge has answered.",
            ["method", "route", "status"],
            buckets=_REQUEST_BOUNDS,
            registry=self._registry,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(method, route, status).observe(seconds)

    def of_dispatcher(self, reaches_airflow: Callable[[], bool] | None) -> None:
        """Show how the dispatcher of this process fares; None: it has none now."""
        self._dispatching.reaches_airflow = reaches_airflow

    def text(self, accept: str) -> tuple[bytes, str]:
        """Everything, and its media type."""
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type


class _Installation(Collector):
    """Values that every bridge reads alike: take one of them, not the sum."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: Totals | None = None
        self._read_at = 0.0

    def describe(self) -> list[Metric]:
        """Nothing, so that registering does not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The values as metrics; without the database, that it is away."""
        try:
            totals = self._totals()
        except DatabaseUnavailable as away:
            log.warning("The database cannot be read for metrics: %s", away.__cause__)
            totals = None
        yield _gauge("database_up", "Whether the database answers.", {(): totals is not None}, ())
        if totals is not None:
            yield from _gauges(totals)
            yield from _counters(totals)
            yield _steps(totals)

    def _totals(self) -> Totals:
        with self._lock:
            if self._read is None or time.monotonic() - self._read_at > CACHE_TTL:
                self._read, self._read_at = metrics.read(), time.monotonic()
            return self._read


class _Dispatching(Collector):
    """What the dispatcher of this process, if it has one, knows."""

    reaches_airflow: Callable[[], bool] | None = None

    def collect(self) -> Iterator[Metric]:
        """Whether Airflow answers it."""
        if self.reaches_airflow is not None:
            text = "Whether Airflow answers this bridge's dispatcher."
            yield _gauge("airflow_up", text, {(): self.reaches_airflow()}, ())


def _gauges(totals: Totals) -> Iterator[Metric]:
    now = totals.gauges
    yield _gauge("runs", "Runs in flight.", _by_label(now.runs), ("status",))
    held = "Runs that Airflow works on; parked ones are not among them."
    yield _gauge("runs_in_airflow", held, {(): now.in_airflow}, ())
    express = "Express workers that are there, on whichever machines."
    yield _gauge("express_workers", express, {(): now.express_workers}, ())
    held_up = "Automations whose DAG somebody has paused or deleted in Airflow."
    yield _gauge("held_up", held_up, _by_label(now.held_up), ("reason",))
    yield _gauge("waits", "Pauses that are open.", _by_label(now.waits), ("kind",))
    yield _gauge("jobs", "Jobs for the dispatchers.", now.jobs, ("kind", "state"))
    lag = "How long the oldest due job has been due."
    yield _gauge("dispatcher_lag_seconds", lag, {(): now.lag}, ())


def _counters(totals: Totals) -> Iterator[Metric]:
    for kind, name, text, labels in (
        ("run_started", "runs_started", "Runs that have begun.", ("trigger",)),
        ("run_ended", "runs_finished", "Runs that have ended.", ("trigger", "status")),
        ("event", "events", "Events that were taken in.", ("trigger",)),
    ):
        counter = CounterMetricFamily(f"automations_{name}", text, labels=labels)
        for count in totals.counters:
            if count.kind == kind:
                counter.add_metric((count.label, count.outcome)[: len(labels)], count.n)
        yield counter


def _steps(totals: Totals) -> Metric:
    family = HistogramMetricFamily(
        "automations_step_duration_seconds",
        "Attempts at steps, without the time that they waited parked.",
        labels=("type", "status"),
    )
    series: dict[tuple[str, str], list[CounterValue]] = {}
    for count in totals.counters:
        if count.kind == "step":
            series.setdefault((count.label, count.outcome), []).append(count)
    for labels, counted in sorted(series.items()):
        counts = [0] * (len(BOUNDS) + 1)
        for count in counted:
            counts[count.bucket] += count.n
        names = (*map(str, BOUNDS), "+Inf")
        buckets = list(zip(names, accumulate(counts), strict=True))
        family.add_metric(labels, buckets, sum(count.seconds for count in counted))
    return family


def _gauge(name: str, text: str, values: Mapping[Any, float], labels: tuple[str, ...]) -> Metric:
    gauge = GaugeMetricFamily(f"automations_{name}", text, labels=labels)
    for key, value in sorted(values.items()):
        gauge.add_metric(key, value)
    return gauge


def _by_label(values: Mapping[Any, float]) -> dict[tuple[str, ...], float]:
    return {(key,): value for key, value in values.items()}
