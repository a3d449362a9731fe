"""The kinds of failure that callers can act on. They pickle, so they cross replicas as themselves."""

from typing import ClassVar


class AppError(Exception):
    """A failure with a status, a stable code and a message fit for the caller; `retry_after` is in seconds."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return _rebuild, (type(self), self.message, self.param, self.retry_after)


def _rebuild(kind: type[AppError], message: str, param: str | None, retry_after: float | None) -> AppError:
    return kind(message, param=param, retry_after=retry_after)


class InvalidInput(AppError):
    status = 400
    code = "invalid_input"


class Unauthenticated(AppError):
    status = 401
    code = "unauthenticated"


class Forbidden(AppError):
    status = 403
    code = "forbidden"


class NotFound(AppError):
    status = 404
    code = "not_found"


class Conflict(AppError):
    status = 409
    code = "conflict"


class TooLarge(AppError):
    status = 413
    code = "too_large"


class UnsupportedMedia(AppError):
    status = 415
    code = "unsupported_media"


class NotSupported(AppError):
    """The request is well formed, but the configured engine cannot do it."""

    status = 422
    code = "not_supported"


class RateLimited(AppError):
    """The caller spent what it may spend for now."""

    status = 429
    code = "rate_limited"


class Overloaded(AppError):
    """The queue in front of a model is full."""

    status = 429
    code = "overloaded"


class ModelFailed(AppError):
    """An engine broke, or its replica died, while it worked on the request."""

    status = 502
    code = "model_failed"


class Unavailable(AppError):
    """Something the request needs is away and expected back."""

    status = 503
    code = "unavailable"


class TimedOut(AppError):
    status = 504
    code = "timed_out"


KINDS: tuple[type[AppError], ...] = (
    InvalidInput,
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict,
    TooLarge,
    UnsupportedMedia,
    NotSupported,
    RateLimited,
    Overloaded,
    ModelFailed,
    Unavailable,
    TimedOut,
)
