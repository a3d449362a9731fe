"""One replica's figures for Prometheus, with label sets bounded by the routes and the models."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric

from deployments.contracts.chat import Usage

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A metric as plain values, so that it crosses replicas."""

    name: str
    help: str
    type: str
    samples: tuple[tuple[str, Labels, float], ...]


class Metrics:
    """The instruments of one replica; each has its own registry, so that tests can have many."""

    def __init__(self, *, unbooked: Callable[[], int] = int) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "polyphony_http_requests", "Requests answered.", ["route", "method", "status"], registry=self._registry
        )
        self._request_seconds = Histogram(
            "polyphony_http_request_seconds",
            "Until the last byte.",
            ["route"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._turns = Counter("polyphony_turns", "Metered turns.", ["model", "outcome"], registry=self._registry)
        self._turns_running = Gauge("polyphony_turns_running", "Turns under way.", ["model"], registry=self._registry)
        self._first_token = Histogram(
            "polyphony_first_token_seconds", "From admission to the first token.", ["model"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._tokens = Counter(
            "polyphony_tokens", "Tokens read and written.", ["model", "kind"], registry=self._registry
        )

        Gauge(
            "polyphony_usage_unbooked", "Readings on disk that Postgres does not have yet.", registry=self._registry
        ).set_function(unbooked)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def turn(self, model: str, outcome: str, usage: Usage) -> None:
        self._turns.labels(model, outcome).inc()
        self._tokens.labels(model, "prompt").inc(usage.prompt_tokens)
        self._tokens.labels(model, "completion").inc(usage.completion_tokens)
        self._tokens.labels(model, "cached").inc(usage.cached_tokens)

    def first_token(self, model: str, seconds: float | None) -> None:
        if seconds is not None:
            self._first_token.labels(model).observe(seconds)

    @contextmanager
    def running(self, model: str) -> Generator[None]:
        with self._turns_running.labels(model).track_inprogress():
            yield

    def snapshot(self) -> list[Family]:
        return [
            Family(
                metric.name,
                metric.documentation,
                metric.type,
                tuple((sample.name, tuple(sample.labels.items()), sample.value) for sample in metric.samples),
            )
            for metric in self._registry.collect()
        ]


def gauges(name: str, help_: str, samples: Iterable[tuple[Labels, float]]) -> Family:
    """A family of gauges that were read elsewhere."""
    return Family(name, help_, "gauge", tuple((name, labels, value) for labels, value in samples))


def exposition(snapshots: Iterable[Iterable[Family]]) -> bytes:
    """The text format, each sample summed over the snapshots."""
    families: dict[str, Family] = {}
    sums: dict[str, dict[tuple[str, Labels], float]] = {}
    for family in (family for snapshot in snapshots for family in snapshot):
        families.setdefault(family.name, family)
        totals = sums.setdefault(family.name, {})
        for name, labels, value in family.samples:
            if not name.endswith("_created"):
                totals[name, labels] = totals.get((name, labels), 0.0) + value
    return generate_latest(_Summed(families, sums))


class _Summed(CollectorRegistry):
    def __init__(self, families: dict[str, Family], sums: dict[str, dict[tuple[str, Labels], float]]) -> None:
        super().__init__()
        self._families = families
        self._sums = sums

    def collect(self) -> Iterator[Metric]:
        for family in self._families.values():
            metric = Metric(family.name, family.help, family.type)
            for (name, labels), value in self._sums[family.name].items():
                metric.add_sample(name, dict(labels), value)
            yield metric
