"""P3: requests a second with keys, limits and metering, against a bare tuned Ray hop without any of them."""

from collections.abc import Sequence

from benchmarks.bench import Bench
from benchmarks.figures import percentile, ratios, shown, spread, table
from benchmarks.harness import Contender, Load, Rounds, interleave, noise
from benchmarks.work import UNARY

LOAD = Load(UNARY, streams=32, seconds=5)


def run(bench: Bench, contenders: Sequence[Contender], rounds: int) -> str:
    """Polyphony stands first among the contenders."""
    with bench.progress.step("P3: throughput") as tell:
        measured = interleave(contenders, LOAD, rounds, tell)
    return report(measured)


def report(measured: Rounds) -> str:
    rates = {name: [window.answers_per_s for window in windows] for name, windows in measured.items()}
    ours, *_ = rates.values()
    rows = [
        [
            name,
            shown(spread(theirs), 0),
            shown(ratios(ours, theirs)),
            shown(spread([percentile(window.result.first_s, 99) * 1e3 for window in measured[name]]), 0),
        ]
        for name, theirs in rates.items()
    ]
    heading = f"### P3: throughput, {LOAD.streams} at a time"
    return f"{heading}\n\n{table(['', 'requests/s', 'ours ÷ theirs', 'p99, ms'], rows)}\n\n{noise(measured)}"
