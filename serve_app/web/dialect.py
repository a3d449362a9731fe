"""What a dialect offers to the app."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from deployments.contracts.errors import AppError


@dataclass(frozen=True, slots=True)
class Dialect:
    """A foreign protocol: its routes, the paths that are its own, and the shape of its errors."""

    name: str
    router: APIRouter
    owns: Callable[[str], bool]
    """Whether a path, matched by a route or not, is answered in this dialect."""
    render_error: Callable[[AppError], Response]
