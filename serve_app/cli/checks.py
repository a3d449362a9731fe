"""What `polyphony doctor` looks at on this machine; each check answers with findings and never raises."""

import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from ctypes import CDLL
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import psutil

from deployments.contracts.errors import AppError, Conflict
from serve_app.cli.folder import is_private
from serve_app.cli.processes import refuse_taken_port

Level = Literal["ok", "warn", "fail"]

_GIB = 2**30
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; `remedy` is empty when there is nothing to do."""

    name: str
    level: Level
    found: str
    remedy: str = ""


def python() -> Generator[Finding]:
    found = f"Python {sys.version.split()[0]}"
    if sys.version_info[:2] == (3, 11):
        yield Finding("python", "ok", found)
    else:
        yield Finding("python", "fail", found, "install Python 3.11 and run `make setup`")


def packages(lock: Path = _ROOT / "requirements" / "cpu.txt") -> Generator[Finding]:
    """Only where there is a lock: an image of a cluster may hold another set."""
    if not lock.exists():
        return
    wrong: list[str] = []
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE)
    for name, wanted in pins:
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "missing"
        if found != wanted:
            wrong.append(f"{name} {found} instead of {wanted}")
    if wrong:
        some = "; ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        yield Finding("packages", "fail", some, "run `make setup`")
    else:
        yield Finding("packages", "ok", f"{len(pins)} as locked")


def libraries() -> Generator[Finding]:
    try:
        CDLL("libnuma.so.1")
    except OSError:
        yield Finding("libnuma", "fail", "vLLM needs libnuma.so.1", "sudo apt-get install libnuma1")
    else:
        yield Finding("libnuma", "ok", "found")


def resources(data_dir: Path) -> Generator[Finding]:
    """Cores, memory, disk, shared memory and open files."""
    yield _amount("cpu", psutil.cpu_count() or 1, " cores", least=1, good=2, remedy="use a machine with more cores")
    memory = psutil.virtual_memory().total / _GIB
    yield _amount("memory", memory, " GiB", least=4, good=8, remedy="use a machine with more memory")
    existing = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    disk = shutil.disk_usage(existing).free / _GIB
    yield _amount(
        "disk", disk, f" GiB free for {data_dir}", least=1, good=5, remedy="free some space or move the folder"
    )
    shm = Path("/dev/shm")
    shared = shutil.disk_usage(shm).total / _GIB if shm.exists() else 0
    yield _amount(
        "shared memory", shared, " GiB in /dev/shm", least=0, good=0.25, remedy="in a container: `--shm-size=1g`"
    )
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = files if files != resource.RLIM_INFINITY else 2**20
    yield _amount("open files", count, " at a time", least=256, good=4096, remedy="`ulimit -n 65536`")


def data_folder(data_dir: Path) -> Generator[Finding]:
    if not data_dir.exists():
        yield Finding("data folder", "ok", f"{data_dir} will be made")
    elif not is_private(data_dir):
        yield Finding("data folder", "warn", f"others may look into {data_dir}", f"chmod 700 {data_dir}")
    else:
        yield Finding("data folder", "ok", str(data_dir))


def port(host: str, number: int) -> Generator[Finding]:
    """For a stack that is not running: one that runs holds its port."""
    try:
        refuse_taken_port(host, number)
    except Conflict as error:
        yield Finding("port", "fail", error.message, "end what listens there, or set POLYPHONY_PORT")
    except (AppError, OSError) as error:
        yield Finding("port", "fail", f"{host}:{number}: {error}", "set POLYPHONY_HOST to an address of this machine")
    else:
        yield Finding("port", "ok", f"{number} of {host} is free")


def models(config: dict[str, Any]) -> Generator[Finding]:
    """Weights and GPUs that a Serve config asks for."""
    wanted_gpus = 0.0
    for model in _models_of(config):
        wanted_gpus += float(model.get("num_gpus") or 0)
        weights = model.get("weights")
        if not isinstance(weights, str):
            continue
        name = f"model {model.get('id')}"
        if any((root / weights).is_dir() and any((root / weights).iterdir()) for root in (Path.cwd(), _ROOT)):
            yield Finding(name, "ok", weights)
        elif "smallchat" in weights:
            yield Finding(name, "fail", f"{weights} is not there", "python -m deployments.smallchat.checkpoint")
        else:
            yield Finding(name, "fail", f"{weights} is not there", "put the model's files there")
    if wanted_gpus:
        yield _gpus(wanted_gpus)


def _models_of(config: Any) -> Iterator[dict[str, Any]]:
    applications: list[Any] = config["applications"] or []
    for application in applications:
        args: Any = application.get("args") or {}
        yield from args.get("models") or []


def _gpus(wanted: float) -> Finding:
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return Finding(
            "gpu", "fail", f"the config asks for {wanted:g}, nvidia-smi finds none", "install NVIDIA's driver"
        )
    count = listed.count("GPU ")
    if count < wanted:
        return Finding("gpu", "fail", f"{count}, the config asks for {wanted:g}", "give models less in the config")
    return Finding("gpu", "ok", f"{count}, the config asks for {wanted:g}")


def _amount(name: str, amount: float, unit: str, *, least: float, good: float, remedy: str) -> Finding:
    level: Level = "fail" if amount < least else "warn" if amount < good else "ok"
    found = f"{amount:.1f}{unit}" if isinstance(amount, float) else f"{amount}{unit}"
    return Finding(name, level, found, "" if level == "ok" else f"{remedy} ({good:g} or more)")
