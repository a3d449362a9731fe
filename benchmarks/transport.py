"""Which of Ray's transport flags serve Polyphony best; one after another, for they are chosen when Ray starts."""

from collections.abc import Callable, Sequence

from benchmarks.bench import Bench
from benchmarks.contenders.polyphony import polyphony
from benchmarks.figures import percentile, shown, spread, table
from benchmarks.harness import Load, Rounds, Window, interleave, noise
from benchmarks.specs import FIXED_PACE
from benchmarks.work import GREETING, PACED, UNARY

REQUESTS = Load(UNARY, streams=16, seconds=3)
TOKENS = Load(PACED, streams=16, seconds=2.5)
FIRST = Load(GREETING, streams=1, seconds=1)
_HAPROXY, _THROUGHPUT = "RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_THROUGHPUT_OPTIMIZED"
VARIANTS = {
    "Ray's default": {_HAPROXY: "0", _THROUGHPUT: "0"},
    _THROUGHPUT: {_HAPROXY: "0", _THROUGHPUT: "1"},
    _HAPROXY: {_HAPROXY: "1", _THROUGHPUT: "0"},
    "both": {_HAPROXY: "1", _THROUGHPUT: "1"},
}


def run(bench: Bench, rounds: int) -> str:
    measured: dict[str, Sequence[Rounds]] = {}
    for name, flags in VARIANTS.items():
        with polyphony(bench, FIXED_PACE, name=name, flags=flags) as contender, bench.progress.step(name) as tell:
            measured[name] = [interleave([contender], load, rounds, tell) for load in (REQUESTS, TOKENS, FIRST)]
    return report(measured)


def report(measured: dict[str, Sequence[Rounds]]) -> str:
    rows = [
        [
            name,
            _figure(requests[name], lambda window: window.cpu_ms_per_answer),
            _figure(requests[name], lambda window: window.answers_per_s, 0),
            _figure(tokens[name], lambda window: window.cpu_us_per_token, 0),
            _figure(first[name], lambda window: percentile(window.result.first_s, 50) * 1e3),
        ]
        for name, (requests, tokens, first) in measured.items()
    ]
    columns = ["flags", "CPU ms per request", "requests/s", "CPU µs per paced token", "first token, ms"]
    heard = noise(*(rounds for each in measured.values() for rounds in each))
    return f"### Ray's transport flags, Polyphony whole\n\n{table(columns, rows)}\n\n{heard}"


def _figure(windows: Sequence[Window], figure: Callable[[Window], float], digits: int = 2) -> str:
    return shown(spread([figure(window) for window in windows]), digits)
