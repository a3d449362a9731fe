"""The data folder: one user at a time, private secrets, and a note that is only believed while its writer lives."""

import os
from pathlib import Path

import pytest

from deployments.contracts.errors import Conflict
from serve_app.cli.folder import DataFolder, State, is_private

STATE = State(os.getpid(), "http://127.0.0.1:1", "postgresql://u:p@127.0.0.1:2/d", "http://127.0.0.1:3", "127.0.0.1:4")


def test_only_one_holds_the_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.hold(), pytest.raises(Conflict, match="at work"), folder.hold():
        raise AssertionError
    with folder.hold():
        assert is_private(folder.path)


def test_the_state_is_known_while_the_folder_is_held(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    assert folder.state() is None
    with folder.hold():
        folder.prepare()
        assert folder.state() is None
        folder.remember(STATE)
        assert folder.state() == STATE
    # A killed stack leaves its note behind.
    assert folder.state() is None


def test_secrets_are_private_and_the_token_stays(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.hold():
        folder.prepare()
        token = folder.ray_token.read_text()
        folder.remember(STATE)
        assert all(is_private(path) for path in (folder.ray_token, folder.path / "state.json", folder.run))
        folder.prepare()
        assert folder.ray_token.read_text() == token
        assert not (folder.path / "state.json").exists()
    folder.run.rmdir()


def test_paths_of_sockets_stay_short(tmp_path: Path) -> None:
    deep = DataFolder(tmp_path / ("a" * 90) / ("b" * 90))
    # Ray and HAProxy add up to 80 bytes; the kernel allows 107.
    assert len(str(deep.run)) <= 25
    assert deep.run != DataFolder(tmp_path).run
