"""`polyphony up` with a probe for a graph without models: `python -m tests.integration.stand_in.up`."""

import fcntl
import socket
import struct
import sys

import httpx
from rich.console import Console

from deployments.contracts.errors import Unavailable
from serve_app.cli.progress import Progress
from serve_app.cli.up import supervise
from serve_app.settings import Settings

_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


def raise_loopback() -> None:
    """A network namespace of its own begins with its loopback down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))


def hello(base_url: str, key: str) -> None:
    try:
        httpx.get(f"{base_url}/hello", trust_env=False).raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable(str(error)) from error


if __name__ == "__main__":
    if "--alone" in sys.argv:
        raise_loopback()
    sys.exit(supervise(Settings(), Progress(Console()), hello))
