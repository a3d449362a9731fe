"""`python -m benchmarks`: measure side by side and print the tables; benchmarks/README.md says how to read them."""

import subprocess
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import locusts, p1_request, p2_token, p3_throughput, p4_engine, transport
from benchmarks.bench import ROOT, Bench, bench
from benchmarks.contenders.asgi import passthrough, upstream
from benchmarks.contenders.inprocess import in_process
from benchmarks.contenders.litellm import install, litellm
from benchmarks.contenders.polyphony import polyphony
from benchmarks.contenders.rayhop import ray_hop
from benchmarks.isolation import isolate
from benchmarks.specs import ENGINES, FIXED_PACE, specs
from serve_app.cli.progress import Progress


class Part(StrEnum):
    """A promise, or what else there is to measure."""

    P1 = "p1"
    P2 = "p2"
    P3 = "p3"
    P4 = "p4"
    LOCUST = "locust"
    TRANSPORT = "transport"


USUAL = set(Part) - {Part.TRANSPORT}


def main(
    only: Annotated[
        list[Part] | None, typer.Option(help="May be given several times; without it, all but transport.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each figure.")] = 5,
    data: Annotated[Path, typer.Option(help="Where the contenders keep data and logs.")] = ROOT
    / ".data"
    / "benchmarks",
    peers: Annotated[
        bool, typer.Option(help="Measure LiteLLM, which is installed once, from the package index.")
    ] = True,
) -> None:
    """Measure Polyphony beside its floor, its peers and its own engines; about a quarter of an hour."""
    console = Console(stderr=True)
    progress = Progress(console)
    installed = _installed(data.resolve(), progress) if peers else None
    if not isolate():
        progress.say("Not root: some of Ray's ports are open to the network while this runs.")
    parts = set(only or USUAL)
    with bench(data.resolve(), progress) as ready:
        if parts & {Part.P1, Part.P2, Part.P3}:
            _gateways(ready, parts, rounds, installed)
        if parts & {Part.P4, Part.LOCUST}:
            _engines(ready, parts, rounds)
        if Part.TRANSPORT in parts:
            _print(transport.run(ready, rounds))


def _gateways(ready: Bench, parts: set[Part], rounds: int, installed: Path | None) -> None:
    with ExitStack() as running:
        start = running.enter_context
        ours = start(polyphony(ready, FIXED_PACE))
        tuned, untuned = start(ray_hop(ready, tuned=True)), start(ray_hop(ready, tuned=False))
        behind = start(upstream(ready))
        all_ = [ours, tuned, untuned, start(passthrough(ready, behind))]
        if installed:
            all_.append(start(litellm(ready, installed, behind)))
        if Part.P1 in parts:
            _print(p1_request.run(ready, all_, rounds))
        if Part.P2 in parts:
            engine = start(in_process(ready, specs(FIXED_PACE)["paced"]))
            _print(p2_token.run(ready, all_, engine, rounds))
        if Part.P3 in parts:
            _print(p3_throughput.run(ready, [ours, tuned], rounds))


def _engines(ready: Bench, parts: set[Part], rounds: int) -> None:
    models = specs(ENGINES)
    with ExitStack() as running:
        served = running.enter_context(polyphony(ready, ENGINES))
        if Part.LOCUST in parts:
            _print(locusts.run(ready, "smallchat"))
        if Part.P4 in parts:
            alone = {id_: running.enter_context(in_process(ready, spec)) for id_, spec in models.items()}
            _print(p4_engine.run(ready, served, alone, rounds))


def _installed(data: Path, progress: Progress) -> Path | None:
    try:
        return install(data, progress)
    except subprocess.CalledProcessError:
        progress.say("LiteLLM could not be installed and is left out.")
        return None


def _print(report: str) -> None:
    print(report, end="\n\n", flush=True)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
