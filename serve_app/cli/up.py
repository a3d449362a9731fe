"""`polyphony up`: start everything, say where it is, and stay until asked to end."""

import time
from collections.abc import Callable
from contextlib import suppress

import psutil
import typer
from rich.console import Console

from deployments.contracts.errors import AppError
from serve_app.cli import probe
from serve_app.cli.failures import Failed, reported
from serve_app.cli.folder import DataFolder
from serve_app.cli.processes import marked, refuse_taken_port, stop
from serve_app.cli.progress import Progress
from serve_app.cli.signals import Interrupted, Terminal, interruptible
from serve_app.cli.stack import Probe, Stack, Welcome
from serve_app.settings import Settings


def up() -> None:
    """Start everything on this machine; Ctrl-C stops it again."""
    with reported():
        settings = Settings()
    raise typer.Exit(supervise(settings, Progress(Console())))


def supervise(settings: Settings, progress: Progress, probe: Probe = probe.chat) -> int:
    """Run the stack until a signal, 0, or until it fails, 1."""
    folder, terminal = DataFolder(settings.data_dir), Terminal()
    try:
        with interruptible(lambda: _kill(folder)) as settle, folder.hold():
            stop(marked(folder.mark), grace_s=5)
            refuse_taken_port(settings.host, settings.port)
            folder.prepare()
            _run(Stack(settings, folder, progress, probe), progress, terminal, settle)
    except Interrupted:
        return 0
    except (Failed, AppError, OSError) as error:
        _explain(error, progress.say)
        return 1
    return 0


def _run(stack: Stack, progress: Progress, terminal: Terminal, settle: Callable[[], None]) -> None:
    try:
        _welcome(stack.start(), progress.say)
        while not terminal.is_closed:
            stack.check()
            time.sleep(0.5)
    finally:
        settle()
        with progress.step("stopping"):
            stack.stop()


def _kill(folder: DataFolder) -> None:
    for process in marked(folder.mark):
        with suppress(psutil.Error):
            process.kill()


def _welcome(welcome: Welcome, say: Callable[[str], None]) -> None:
    say("")
    say(f"Polyphony answers at {welcome.base_url}")
    say(f"  documentation  {welcome.base_url}/docs")
    say(f"  admin          {welcome.admin_email}")
    if welcome.password:
        say(f"  password       {welcome.password}   (shown only now)")
    say("")
    say("Try it, in another terminal:")
    say(f"  KEY=$(.venv/bin/polyphony keys create {welcome.admin_email} --name first --quiet)")
    say(f'  curl -N {welcome.base_url}/api/chat -H "Authorization: Bearer $KEY" \\')
    say('    -H \'Content-Type: application/json\' -d \'{"messages":[{"role":"user","content":"hello"}]}\'')
    say("")
    say("Ctrl-C stops everything.")


def _explain(error: Exception, say: Callable[[str], None]) -> None:
    if isinstance(error, Failed) and error.lines:
        say(f"the last lines of {error.log}:")
        for line in error.lines:
            say(f"  | {line}")
    say(f"error: {error}")
