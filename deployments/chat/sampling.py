"""A request's wishes in vLLM's words: sampling, length, and the grammar that an answer must follow."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deployments.contracts.chat import ChatRequest, Choice, JsonSchema, NamedTool, Regex, Structure, Tool
from deployments.contracts.errors import InvalidInput

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

_SEEDS = 2**63 - 1
_LARGEST_GRAMMAR = 128 * 1024
"""Characters of schemas, expressions or options; beyond, compiling them takes many seconds."""
_PLACE = re.compile(r"\[[\d:]+\] \S+:\d+: ")
"""Where in its own source xgrammar found a fault."""


def sampling_params(
    request: ChatRequest, *, defaults: Mapping[str, Any], max_tokens: int, vocabulary: int, keep_special: bool
) -> "SamplingParams":
    """Raises InvalidInput for values out of range; `max_tokens` bounds what the request may wish."""
    from vllm import SamplingParams
    from vllm.exceptions import VLLMValidationError
    from vllm.sampling_params import RequestOutputKind

    asked = request.sampling
    wishes = {
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": None if asked.top_k is None else min(asked.top_k, vocabulary),
        "presence_penalty": asked.presence_penalty,
        "frequency_penalty": asked.frequency_penalty,
        "seed": None if asked.seed is None else asked.seed & _SEEDS,
    }
    known = {name: value for name, value in defaults.items() if name != "max_tokens"}
    known |= {name: value for name, value in wishes.items() if value is not None}
    try:
        constraint = _constraint(request)
        if constraint is not None and _size(constraint) > _LARGEST_GRAMMAR:
            raise InvalidInput("what the answer must follow is too large", param=constrained_by(request))
        return SamplingParams(
            **known,
            max_tokens=max_tokens,
            stop=list(asked.stop),
            structured_outputs=constraint,
            output_kind=RequestOutputKind.DELTA,
            skip_special_tokens=not keep_special,
            spaces_between_special_tokens=False,
        )
    except VLLMValidationError as error:
        raise refusal(error) from None
    except RecursionError:
        raise InvalidInput("a schema is nested too deeply", param=constrained_by(request)) from None


def refusal(error: Exception, param: str | None = None) -> InvalidInput:
    """What vLLM says of a bad request, without the value and the place in its source."""
    message = _PLACE.sub("", str(error.args[0] if error.args else error)).strip()
    return InvalidInput(message, param=getattr(error, "parameter", None) or param)


def constrained_by(request: ChatRequest) -> str | None:
    """The part of the request that the answer's grammar comes from, if it has one."""
    forced = request.tool_choice not in ("auto", "none")
    strict = request.tool_choice == "auto" and any(tool.strict for tool in request.tools)
    if forced or strict:
        return "tools"
    return None if request.structure is None else "structure"


def _constraint(request: ChatRequest) -> "StructuredOutputsParams | None":
    from vllm.sampling_params import StructuredOutputsParams

    tools, structure = request.tools, request.structure
    match request.tool_choice:
        case "none":
            tools = ()
        case NamedTool(name):
            tools = tuple(tool for tool in tools if tool.name == name)
            if not tools:
                raise InvalidInput(f"tool_choice names {name!r}, which is not among the tools", param="tool_choice")
            return _tagged(_tag(tools[0], bound=True))
        case "required":
            if not tools:
                raise InvalidInput("tool_choice is 'required', but there are no tools", param="tool_choice")
            return _tagged(_calls(tools, bound=True))
        case "auto":
            pass
    if structure is not None:
        if tools:
            return _tagged({"type": "or", "elements": [_format(structure), _calls(tools, bound=False)]})
        match structure:
            case JsonSchema(schema):
                return StructuredOutputsParams(json=json.dumps(dict(schema)))
            case Choice(options):
                return StructuredOutputsParams(choice=list(options))
            case Regex(pattern):
                return StructuredOutputsParams(regex=pattern)
    if any(tool.strict for tool in tools):
        tags = [_tag(tool, bound=False) for tool in tools]
        return _tagged({"type": "triggered_tags", "triggers": ["<tool_call>"], "tags": tags})
    return None


def _size(constraint: "StructuredOutputsParams") -> int:
    whole = constraint.json or constraint.structural_tag or constraint.regex or ""
    return len(whole) + sum(map(len, constraint.choice or ()))


def _tagged(format: dict[str, Any]) -> "StructuredOutputsParams":
    from vllm.sampling_params import StructuredOutputsParams

    return StructuredOutputsParams(structural_tag=json.dumps({"type": "structural_tag", "format": format}))


def _calls(tools: Sequence[Tool], *, bound: bool) -> dict[str, Any]:
    tags = [_tag(tool, bound=bound) for tool in tools]
    return {"type": "tags_with_separator", "tags": tags, "separator": "\n", "at_least_one": True}


def _tag(tool: Tool, *, bound: bool) -> dict[str, Any]:
    """One call in the hermes manner; `bound` or strict arguments follow the tool's own schema."""
    schema = dict(tool.parameters) if (bound or tool.strict) and tool.parameters else {"type": "object"}
    return {
        "type": "tag",
        "begin": f'<tool_call>\n{{"name": {json.dumps(tool.name, ensure_ascii=False)}, "arguments": ',
        "content": _json(schema),
        "end": "}\n</tool_call>",
    }


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Blanks are bounded: small models would write nothing else."""
    return {"type": "json_schema", "json_schema": dict(schema), "max_whitespace_cnt": 1}


def _format(structure: Structure) -> dict[str, Any]:
    match structure:
        case JsonSchema(schema):
            return _json(schema)
        case Choice(options):
            return {"type": "or", "elements": [{"type": "const_string", "value": option} for option in options]}
        case Regex(pattern):
            return {"type": "regex", "pattern": pattern}
