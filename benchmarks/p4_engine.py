"""P4: what is left of an engine's own tokens a second when it is served, at 1, 8 and 16 streams."""

from collections.abc import Mapping, Sequence

from benchmarks.bench import Bench
from benchmarks.figures import percentile, ratios, shown, spread, table
from benchmarks.harness import Contender, Load, Rounds, Window, interleave, noise
from benchmarks.work import Work

STREAMS = (1, 8, 16)
SECONDS = 2.5
TOKENS = 64


def run(bench: Bench, served: Contender, engines: Mapping[str, Contender], rounds: int) -> str:
    """`engines` by the ids under which Polyphony serves them as well."""
    measured: dict[tuple[str, int], Rounds] = {}
    for model, engine in engines.items():
        for streams in STREAMS:
            load = Load(Work(model, stream=True, tokens=TOKENS), streams, SECONDS)
            with bench.progress.step(f"P4: {model}, streams: {streams}") as tell:
                measured[model, streams] = interleave([served, engine], load, rounds, tell)
    return report(measured)


def report(measured: dict[tuple[str, int], Rounds]) -> str:
    rows: list[list[str]] = []
    for (model, streams), by_name in measured.items():
        ours, theirs = by_name.values()
        served, alone = _rates(ours), _rates(theirs)
        served_first, alone_first = _first_ms(ours), _first_ms(theirs)
        rows.append(
            [
                f"{model}, {streams}",
                shown(spread(alone), 0),
                shown(spread(served), 0),
                shown(ratios(served, alone), 3),
                shown(spread(alone_first), 1),
                shown(spread(served_first), 1),
                shown(ratios(served_first, alone_first)),
            ]
        )
    columns = ["engine, streams", "alone, tokens/s", "served, tokens/s", "served ÷ alone"]
    columns += ["alone, first token ms", "served, first token ms", "served ÷ alone"]
    return f"### P4: the engine alone and served\n\n{table(columns, rows)}\n\n{noise(*measured.values())}"


def _rates(windows: Sequence[Window]) -> list[float]:
    return [window.tokens_per_s for window in windows]


def _first_ms(windows: Sequence[Window]) -> list[float]:
    return [percentile(window.result.first_s, 50) * 1e3 for window in windows]
