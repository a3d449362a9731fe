"""The Locust file, run for a moment against a Polyphony that is up."""

import json
import subprocess
import sys
from itertools import chain, repeat
from typing import Any

from benchmarks.bench import ROOT, Bench, variables
from benchmarks.contenders.polyphony import PASSWORD, base_url
from benchmarks.figures import percentile, table

USERS, SECONDS = 8, 30


def run(bench: Bench, model: str) -> str:
    command = [
        sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks" / "locustfile.py"), "--host", base_url(bench),
        "--headless", "--users", str(USERS), "--run-time", f"{SECONDS}s", "--json",
    ]  # fmt: skip
    env = variables(POLYPHONY_ADMIN_PASSWORD=PASSWORD, BENCH_MODEL=model)
    with bench.progress.step("Locust"), (bench.logs / "locust.log").open("ab") as log:
        # Locust's status tells whether any request failed; the table tells which.
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=log, text=True, check=False)
    return report(model, json.loads(done.stdout))


def report(model: str, entries: list[dict[str, Any]]) -> str:
    rows = [
        [entry["name"], str(entry["num_requests"]), str(entry["num_failures"]), *_percentiles(entry["response_times"])]
        for entry in sorted(entries, key=lambda entry: entry["name"])
    ]
    heading = f"### Locust: {USERS} users of {model} for {SECONDS} s"
    return f"{heading}\n\n{table(['', 'requests', 'failures', 'median, ms', 'p95, ms'], rows)}"


def _percentiles(histogram: dict[str, int]) -> list[str]:
    """`histogram` counts answers by milliseconds."""
    times = list(chain.from_iterable(repeat(float(ms), count) for ms, count in histogram.items()))
    return [f"{percentile(times, percent):.0f}" for percent in (50, 95)]
