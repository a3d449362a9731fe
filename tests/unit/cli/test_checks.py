"""The doctor's checks name what is missing, and how to get it."""

import socket
from pathlib import Path

import pytest

from serve_app.cli import checks


def test_packages_are_compared_with_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "cpu.txt"
    lock.write_text("# made by hand\npsutil==0.0.1 \\\n    --hash=sha256:00\nno-such-package==1.0\n")
    (finding,) = checks.packages(lock)
    assert finding.level == "fail"
    assert "psutil" in finding.found
    assert "no-such-package missing" in finding.found
    assert "make setup" in finding.remedy
    assert list(checks.packages(tmp_path / "none.txt")) == []


def test_a_taken_port_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        (finding,) = checks.port("127.0.0.1", server.getsockname()[1])
    assert (finding.level, "POLYPHONY_PORT" in finding.remedy) == ("fail", True)


def test_an_open_data_folder_is_warned_of(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (finding,) = checks.data_folder(tmp_path)
    assert (finding.level, finding.remedy) == ("warn", f"chmod 700 {tmp_path}")
    tmp_path.chmod(0o700)
    assert [found.level for found in checks.data_folder(tmp_path)] == ["ok"]
    assert [found.level for found in checks.data_folder(tmp_path / "none")] == ["ok"]


def test_weights_are_looked_for_and_gpus_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "config.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bin").mkdir()
    smi = tmp_path / "bin" / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 'GPU 0: one'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    models = [
        {"id": "a", "weights": "there"},
        {"id": "b", "weights": "empty"},
        {"id": "c", "weights": "deployments/smallchat/none"},
        {"id": "d", "num_gpus": 1.5},
    ]
    found = {finding.name: finding for finding in checks.models({"applications": [{"args": {"models": models}}]})}
    assert [finding.level for finding in found.values()] == ["ok", "fail", "fail", "fail"]
    assert "deployments.smallchat.checkpoint" in found["model c"].remedy
    assert "1, the config asks for 1.5" in found["gpu"].found
    smi.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert [finding.level for finding in checks.models({"applications": [{"args": {"models": models[3:]}}]})] == [
        "fail"
    ]


def test_a_config_without_models_asks_for_nothing() -> None:
    assert list(checks.models({"applications": [{"name": "x"}]})) == []


def test_what_is_scarce_comes_with_a_remedy(tmp_path: Path) -> None:
    for finding in checks.resources(tmp_path):
        assert bool(finding.remedy) == (finding.level != "ok")
