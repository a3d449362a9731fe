"""What a contender is asked to do, and what came of it. Both cross process borders as JSON."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

WORD = "word "
"""What every stand-in engine says, once per token."""


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of chat: which engine answers, how, and with how many tokens."""

    model: str
    stream: bool
    tokens: int


UNARY = Work("instant", stream=False, tokens=16)
BURST = Work("instant", stream=True, tokens=64)
PACED = Work("paced", stream=True, tokens=64)
GREETING = Work("paced", stream=True, tokens=4)


@dataclass(frozen=True, slots=True)
class Ask:
    """One HTTP request; `marker` is what stands in the answer once per token."""

    port: int
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    marker: str = WORD

    def encoded(self) -> bytes:
        head = {"Host": f"127.0.0.1:{self.port}", **self.headers}
        if self.body:
            head |= {"Content-Type": "application/json", "Content-Length": str(len(self.body.encode()))}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


@dataclass(frozen=True, slots=True)
class Plan:
    """So many streams, each beginning anew until `seconds` are over; what has begun is ended.

    What `job` holds is between a contender and the worker that loads it.
    """

    job: dict[str, Any]
    streams: int
    seconds: float

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


@dataclass(slots=True)
class Result:
    """Times in seconds. A gap is between a token and the one before; tokens that arrive together have gaps of 0."""

    seconds: float = 0
    cpu_s: float = 0
    answers: int = 0
    failures: int = 0
    tokens: int = 0
    first_s: list[float] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)

    def add(self, began: float, arrivals: list[tuple[float, int]], tokens: int) -> None:
        """One answer: when how many tokens arrived, and how many it had by its own account."""
        self.answers += 1
        self.tokens += tokens
        if not arrivals:
            return
        before, count = arrivals[0]
        self.first_s.append(before - began)
        self.gaps_s += [0.0] * (count - 1)
        for at, count in arrivals[1:]:
            self.gaps_s += [at - before, *[0.0] * (count - 1)]
            before = at

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))
