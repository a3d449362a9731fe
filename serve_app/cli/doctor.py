"""`polyphony doctor`: what is missing, and how to get it."""

import json
from collections.abc import Generator
from dataclasses import asdict
from typing import Annotated

import typer
import yaml

from deployments.contracts.errors import AppError
from serve_app.cli import checks, servers
from serve_app.cli.checks import Finding
from serve_app.cli.failures import reported
from serve_app.cli.folder import DataFolder
from serve_app.cli.ray import resolve
from serve_app.cli.tables import show
from serve_app.settings import Settings


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print a list for programs.")] = False) -> None:
    """Check this machine and the running stack; exit status 1 when something is missing."""
    with reported():
        findings = list(_examine(Settings()))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _show(findings)
    raise typer.Exit(int(any(finding.level == "fail" for finding in findings)))


def _examine(settings: Settings) -> Generator[Finding]:
    yield from checks.python()
    yield from checks.packages()
    yield from checks.libraries()
    yield from checks.resources(settings.data_dir)
    yield from checks.data_folder(settings.data_dir)
    try:
        config = resolve(settings.config, host=settings.host, port=settings.port)
    except AppError as error:
        yield Finding("config", "fail", error.message, "set POLYPHONY_CONFIG to a Serve config")
    else:
        yield Finding("config", "ok", str(settings.config))
        yield from checks.models(yaml.safe_load(config))
    yield from _examine_servers(settings)


def _examine_servers(settings: Settings) -> Generator[Finding]:
    state = DataFolder(settings.data_dir).state()
    database_url = settings.database_url.get_secret_value() if settings.database_url else state and state.database_url
    milvus_uri = settings.milvus_uri or (state and state.milvus_uri)
    if database_url:
        yield from servers.postgres(database_url)
    if milvus_uri:
        yield from servers.milvus(milvus_uri)
    if state:
        yield from servers.stack(state)
    else:
        yield from checks.port(settings.host, settings.port)
        yield Finding("stack", "ok", f"nothing runs on {settings.data_dir}; `polyphony up` starts it")


def _show(findings: list[Finding]) -> None:
    signs = {"ok": "✓", "warn": "!", "fail": "✗"}
    rows = [(signs[finding.level], finding.name, finding.found, finding.remedy) for finding in findings]
    show(("", "checked", "found", "remedy"), rows)
