"""The vLLM engine: one AsyncLLM, the same code on a CPU and on GPUs."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from deployments.chat.options import ChatOptions
from deployments.chat.parsers import TAGS, OutputParser
from deployments.chat.prompt import Prompt, PromptEncoder
from deployments.chat.sampling import constrained_by, refusal, sampling_params
from deployments.chat.vllm_start import gauges_of, start
from deployments.contracts.chat import (
    ChatRequest,
    EngineEvent,
    Finish,
    FinishReason,
    Message,
    Sampling,
    Spent,
    Tool,
    Usage,
)
from deployments.contracts.errors import InvalidInput, ModelFailed, NotSupported
from deployments.contracts.models import ModelSpec

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.outputs import RequestOutput

_log = logging.getLogger(__name__)
_LONG_PROMPT = 8_192
"""Characters from which a prompt is rendered and tokenized beside the event loop."""
_PROBE_S = 20.0
_WARM_UP_S = 600.0


class VllmEngine:
    """Chat completions by vLLM; `spec.weights` is a checkpoint's folder, or its name on a model hub."""

    def __init__(self, spec: ModelSpec) -> None:
        options = ChatOptions.model_validate(spec.options)
        self._llm = start(spec, options)
        self._gauges = gauges_of(self._llm)
        self._options = options
        self._model_config = self._llm.model_config
        self._context = int(self._model_config.max_model_len)
        self._vocabulary = int(self._model_config.get_vocab_size())
        self._defaults = self._model_config.get_diff_sampling_param()
        tokenizer: Any = self._llm.get_tokenizer()
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(f"model {spec.id!r}: its tokenizer has no fast form (tokenizer.json)")
        self._prompts = PromptEncoder(tokenizer, context=self._context)
        self._tags_are_special = not set(TAGS).isdisjoint(tokenizer.all_special_tokens)
        self._steps = 0
        self._steps_when_checked = 0

    async def generate(self, request: ChatRequest) -> AsyncIterator[EngineEvent]:
        """The answer as it comes; see the Chat contract. Closing the generator aborts the work in the engine."""
        prompt = await self._prompt(request)
        with_tools = bool(request.tools) and request.tool_choice != "none"
        with_reasoning = self._options.reasoning_parser is not None
        params = await self._params(request, prompt, keep_special=with_tools or with_reasoning)
        parser = OutputParser(reasoning=prompt.opens_reasoning if with_reasoning else None, tools=with_tools)
        read, written = len(prompt.token_ids), 0
        async with aclosing(self._outputs(request, prompt, params)) as outputs:
            async for output in outputs:
                answer = output.outputs[0]
                written += len(answer.token_ids)
                usage = Usage(read, written, output.num_cached_tokens or 0)
                yield Spent(usage)
                for delta in parser.feed(answer.text):
                    yield delta
                if output.finished:
                    for delta in parser.finish():
                        yield delta
                    yield Finish(_finish_reason(answer.finish_reason, called=parser.called), usage)

    async def check_health(self) -> None:
        """Generates one token, unless answers have moved on since the last check."""
        if self._llm.errored:
            raise ModelFailed("the model's engine is dead")
        if self._steps == self._steps_when_checked:
            await self._probe(_PROBE_S if self._steps else _WARM_UP_S)
        self._steps_when_checked = self._steps

    def describe(self) -> dict[str, Any]:
        """Facts of the loaded model."""
        return {
            "context_length": self._context,
            "max_output_tokens": self._context - 1,
            "tools": self._options.tool_parser is not None,
            "reasoning": self._options.reasoning_parser is not None,
        }

    def stats(self) -> dict[str, float]:
        """Requests in the engine, and the share of the KV cache that they fill."""
        return self._gauges.read(unfinished=self._llm.get_num_unfinished_requests())

    def close(self) -> None:
        """Stop the engine's process."""
        self._llm.shutdown()

    async def _prompt(self, request: ChatRequest) -> Prompt:
        if request.tools and request.tool_choice != "none" and self._options.tool_parser is None:
            raise NotSupported("this model cannot call tools", param="tools")
        offered = request.tools if request.tool_choice != "none" else ()
        if sum(map(_length, request.messages)) + sum(map(_size, offered)) < _LONG_PROMPT:
            return self._prompts.encode(request)
        return await asyncio.to_thread(self._prompts.encode, request)

    async def _params(self, request: ChatRequest, prompt: Prompt, *, keep_special: bool) -> "SamplingParams":
        from vllm.exceptions import VLLMValidationError

        wished = request.sampling.max_tokens
        params = sampling_params(
            request,
            defaults=self._defaults,
            max_tokens=min(
                self._options.default_max_tokens if wished is None else wished, self._context - len(prompt.token_ids)
            ),
            vocabulary=self._vocabulary,
            keep_special=keep_special and self._tags_are_special,
        )
        if (param := constrained_by(request)) is not None:
            # Grammars are compiled to be checked: that can take long, and fail in any way.
            config = self._llm.vllm_config
            check = (config.model_config, None, config.structured_outputs_config, self._llm.get_tokenizer())
            try:
                await asyncio.to_thread(params.verify, *check)
            except (VLLMValidationError, ValueError, TypeError, RuntimeError, RecursionError) as error:
                raise refusal(error, param) from None
        return params

    async def _outputs(
        self, request: ChatRequest, prompt: Prompt, params: "SamplingParams"
    ) -> AsyncIterator["RequestOutput"]:
        """What the engine says, its failures told as ours."""
        from vllm.exceptions import VLLMClientError, VLLMServerError
        from vllm.inputs.engine import tokens_input

        stream = self._llm.generate(
            tokens_input(prompt.token_ids, cache_salt=request.cache_salt or None),
            params,
            request.request_id or uuid.uuid4().hex,
            reasoning_ended=not prompt.opens_reasoning,
        )
        begun = False
        try:
            async with aclosing(stream) as outputs:
                async for output in outputs:
                    self._steps += 1
                    if output.outputs[0].finish_reason == "error":
                        if params.structured_outputs is not None and not begun:
                            raise InvalidInput("no answer can follow what is asked", param=constrained_by(request))
                        raise ModelFailed("the model failed while it answered")
                    begun = True
                    yield output
        except VLLMClientError as error:
            raise refusal(error) from None
        except VLLMServerError as error:
            _log.error("engine failed: %s", type(error).__name__)
            raise ModelFailed("the model's engine failed") from error

    async def _probe(self, timeout_s: float) -> None:
        request = ChatRequest(messages=(), sampling=Sampling(max_tokens=1))
        params = await self._params(request, prompt := Prompt([0], opens_reasoning=False), keep_special=False)
        try:
            async with asyncio.timeout(timeout_s), aclosing(self._outputs(request, prompt, params)) as outputs:
                async for _ in outputs:
                    pass
        except TimeoutError:
            raise ModelFailed(f"the model's engine hangs: no token in {timeout_s:.0f} s") from None


def _length(message: Message) -> int:
    return len(message.content) + sum(len(call.arguments) for call in message.tool_calls)


def _size(tool: Tool) -> int:
    return len(tool.name) + len(tool.description) + len(repr(tool.parameters))


def _finish_reason(reason: str | None, *, called: bool) -> FinishReason:
    if reason == "length":
        return "length"
    return "tool_calls" if called else "stop"
