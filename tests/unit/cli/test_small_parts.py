"""What the commands say, inherit and pass on."""

import io
import os
import signal
from pathlib import Path

import pytest
import typer
import yaml
from pydantic import SecretStr
from rich.console import Console

from deployments.contracts.errors import InvalidInput, NotFound, Unavailable
from serve_app.cli.environment import exported, inherited
from serve_app.cli.failures import Failed, blaming, reported, tail
from serve_app.cli.processes import MARK
from serve_app.cli.progress import Progress
from serve_app.cli.ray import resolve
from serve_app.cli.signals import Interrupted, Terminal, interruptible
from serve_app.cli.stack import local_url
from serve_app.settings import Settings


def test_children_are_marked_and_talk_to_each_other_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "intranet")
    env = inherited("/data")
    assert env[MARK] == "/data"
    assert env["PATH"] == os.environ["PATH"]
    assert env["no_proxy"] == "intranet,127.0.0.1,localhost,::1"


def test_settings_reach_a_child_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = Settings(port=9000, data_dir=Path("data"), fetch_allow=("a", "b"), admin_password=SecretStr("secret"))
    env = exported(given)
    assert env["POLYPHONY_DATA_DIR"] == str(tmp_path / "data")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir("/")
    assert Settings() == given


def test_the_config_gets_our_address_and_keeps_the_rest(tmp_path: Path) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text("http_options: {port: 1, keep_alive_timeout_s: 7}\napplications: [{import_path: a:b}]\n")
    assert yaml.safe_load(resolve(config, host="::", port=9000)) == {
        "http_options": {"host": "::", "port": 9000, "keep_alive_timeout_s": 7},
        "applications": [{"import_path": "a:b"}],
    }


@pytest.mark.parametrize("text", ["", "[1, 2]", "http_options: {}", "a: b: c", None])
def test_what_is_no_serve_config_is_refused(tmp_path: Path, text: str | None) -> None:
    config = tmp_path / "serve.yaml"
    if text is not None:
        config.write_text(text)
    with pytest.raises(InvalidInput, match=r"serve\.yaml"):
        resolve(config, host="127.0.0.1", port=9000)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9000"),
        ("0.0.0.0", "http://127.0.0.1:9000"),
        ("::", "http://[::1]:9000"),
        ("box.lan", "http://box.lan:9000"),
    ],
)
def test_the_stack_is_reached_where_it_listens(host: str, url: str) -> None:
    assert local_url(Settings(host=host, port=9000)) == url


def test_the_first_signal_interrupts_and_the_next_hastens() -> None:
    hastened: list[bool] = []
    before = signal.getsignal(signal.SIGTERM)
    stopped: list[bool] = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGINT)
            stopped.append(True)

    with pytest.raises(Interrupted), interruptible(lambda: hastened.append(True)):
        work()
    assert stopped == [True]
    assert hastened == [True, True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_closed_terminal_is_noticed() -> None:
    assert not Terminal().is_closed
    ours, theirs = os.openpty()
    before = os.dup(0)
    os.dup2(theirs, 0)
    try:
        terminal = Terminal()
        assert not terminal.is_closed
        os.close(ours)
        assert terminal.is_closed
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(theirs)


def test_progress_is_plain_lines_without_a_terminal() -> None:
    out = io.StringIO()
    progress = Progress(Console(file=out, width=20))
    with progress.step("a long name of a step") as detail:
        for text in ("[one]", "[one]", "two"):
            detail(text)
    lines = out.getvalue().splitlines()
    assert lines[:3] == ["… a long name of a step", "  [one]", "  two"]
    assert lines[3].startswith("✓ a long name of a step (")


def test_a_closed_terminal_stops_nothing() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    with Progress(Console(file=Closed())).step("stopping"):
        pass


def test_failures_carry_their_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(str(number) for number in range(100)))
    with pytest.raises(Failed, match="away") as failed, blaming(log):
        raise Unavailable("away")
    assert failed.value.log == log
    assert tail(log, lines=2) == ["98", "99"]
    assert tail(tmp_path / "none") == []


def test_wrong_settings_are_told_without_their_values(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POLYPHONY_PORT", "sesame")
    with pytest.raises(typer.Exit) as ended, reported():
        Settings()
    assert ended.value.exit_code == 1
    told = capsys.readouterr().err
    assert "POLYPHONY_PORT" in told
    assert "sesame" not in told


def test_errors_of_a_command_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), reported():
        raise NotFound("nobody has this e-mail")
    assert capsys.readouterr().err == "error: nobody has this e-mail\n"
