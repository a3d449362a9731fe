"""The Serve driver of `polyphony up`: `serve run` of a config, and a file that says how far it is."""

import dataclasses
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.serve.scripts import cli

_PACE_S = 0.3


def main(config: str, report: str) -> None:
    """Runs until SIGINT, then shuts the applications down."""
    ray.init(namespace="serve", log_to_driver=False)  # pyright: ignore[reportUnknownMemberType]
    threading.Thread(target=_report, args=(Path(report),), daemon=True).start()
    cli(["run", config])


def _report(path: Path) -> None:
    draft = path.with_suffix(".new")
    settled = False
    while not settled:
        time.sleep(_PACE_S)
        found: dict[str, Any] = {name: dataclasses.asdict(app) for name, app in serve.status().applications.items()}
        draft.write_text(json.dumps(found))
        draft.replace(path)
        settled = bool(found) and all(app["status"] in ("RUNNING", "DEPLOY_FAILED") for app in found.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
