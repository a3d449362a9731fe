"""JSON bodies, read as strictly as the RFC has them."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request, Response
from fastapi.routing import APIRoute

from deployments.contracts.errors import InvalidInput


class StrictRequest(Request):
    """Refuses what json takes and others choke on: NaN, lone surrogates, nesting without end."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            parsed = json.loads(body.decode(), parse_constant=_no_constant)
            if b"\\ud" in body.lower():
                json.dumps(parsed, ensure_ascii=False).encode()
        except RecursionError:
            raise InvalidInput("the body is nested too deeply") from None
        except UnicodeError:
            raise InvalidInput("the body holds text that is not valid Unicode") from None
        return parsed


class JsonRoute(APIRoute):
    """A route whose JSON body is read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict


def _no_constant(name: str) -> NoReturn:
    raise InvalidInput(f"the body is not valid JSON: {name} is no JSON number")
