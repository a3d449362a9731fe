"""P1: CPU of one authenticated, metered chat that is not streamed, all processes of a contender counted."""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench
from benchmarks.figures import differences, ratios, shown, spread, table
from benchmarks.harness import Contender, Load, Rounds, idle, interleave, noise
from benchmarks.work import UNARY

LOAD = Load(UNARY, streams=16, seconds=4)
IDLE_S = 5


def run(bench: Bench, contenders: Sequence[Contender], rounds: int) -> str:
    """Polyphony stands first among the contenders."""
    with bench.progress.step("P1: CPU per request") as tell:
        measured = interleave(contenders, LOAD, rounds, tell)
        tell("with nothing to do")
        resting = idle(contenders, IDLE_S)
    return report(measured, resting)


def report(measured: Rounds, resting: Mapping[str, float]) -> str:
    cpu = {name: [window.cpu_ms_per_answer for window in windows] for name, windows in measured.items()}
    ours, *_ = cpu.values()
    rows = [
        [
            name,
            shown(spread(theirs)),
            shown(ratios(ours, theirs)),
            shown(differences(ours, theirs)),
            shown(spread([window.answers_per_s for window in measured[name]]), 0),
            f"{resting[name]:.0f}",
        ]
        for name, theirs in cpu.items()
    ]
    heading = f"### P1: one chat, not streamed, {UNARY.tokens} tokens, {LOAD.streams} at a time"
    columns = ["", "CPU ms per request", "ours ÷ theirs", "ours − theirs, ms", "requests/s", "idle, CPU ms/s"]
    return f"{heading}\n\n{table(columns, rows)}\n\n{noise(measured)}"
