"""P2: CPU of one streamed token, the time a hop adds to the first, and how steadily the others come."""

from collections.abc import Callable, Mapping, Sequence

from benchmarks.bench import Bench
from benchmarks.figures import differences, percentile, ratios, shown, spread, table
from benchmarks.harness import Contender, Load, Rounds, Window, interleave, noise
from benchmarks.work import BURST, GREETING, PACED

STEADY = Load(PACED, streams=16, seconds=4)
BURSTS = Load(BURST, streams=16, seconds=3)
QUIET = Load(GREETING, streams=1, seconds=2)


def run(bench: Bench, contenders: Sequence[Contender], engine: Contender, rounds: int) -> str:
    """Polyphony stands first among the contenders; `engine` is the paced one by itself."""
    with bench.progress.step("P2: paced streams") as tell:
        steady = interleave([*contenders, engine], STEADY, rounds, tell)
    with bench.progress.step("P2: bursts") as tell:
        bursts = interleave(contenders, BURSTS, rounds, tell)
    with bench.progress.step("P2: first tokens") as tell:
        quiet = interleave([*contenders, engine], QUIET, rounds, tell)
    return report(steady, bursts, quiet)


def report(steady: Rounds, bursts: Rounds, quiet: Rounds) -> str:
    return "\n\n".join(
        [
            f"### P2: streamed, {STEADY.streams} streams of {PACED.tokens} tokens at 50 a second each",
            _cpu(steady),
            f"The same, all tokens of an answer at once, {BURSTS.streams} streams:",
            _cpu(bursts),
            "Time to the first token of a single stream, and gaps between the tokens of the paced streams:",
            _times(steady, quiet),
            noise(steady, bursts, quiet),
        ]
    )


def _cpu(measured: Rounds) -> str:
    cpu = {name: [window.cpu_us_per_token for window in windows] for name, windows in measured.items()}
    ours, *_ = cpu.values()
    rows = [
        [
            name,
            shown(spread(theirs), 0),
            shown(ratios(ours, theirs)),
            shown(spread([window.tokens_per_s for window in measured[name]]), 0),
        ]
        for name, theirs in cpu.items()
    ]
    return table(["", "CPU µs per token", "ours ÷ theirs", "tokens/s"], rows)


def _times(steady: Rounds, quiet: Rounds) -> str:
    first, gaps = _of_rounds(quiet, _first_ms), _of_rounds(steady, _gap_p99_ms)
    ours_first, *_ = first.values()
    ours_gaps, *_ = gaps.values()
    rows = [
        [
            name,
            shown(spread(first[name])),
            shown(differences(ours_first, first[name])),
            shown(spread(gaps[name]), 1),
            shown(ratios(ours_gaps, gaps[name])),
        ]
        for name in first
    ]
    columns = ["", "first token, ms", "ours − theirs, ms", "gap p99, ms", "ours ÷ theirs"]
    return table(columns, rows)


def _of_rounds(measured: Rounds, figure: Callable[[Window], float]) -> Mapping[str, list[float]]:
    return {name: [figure(window) for window in windows] for name, windows in measured.items()}


def _first_ms(window: Window) -> float:
    return percentile(window.result.first_s, 50) * 1e3


def _gap_p99_ms(window: Window) -> float:
    return percentile(window.result.gaps_s, 99) * 1e3
