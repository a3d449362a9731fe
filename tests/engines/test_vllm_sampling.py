"""Length, stops, seeds and penalties of the vLLM engine."""

import pytest

from deployments.chat.vllm import VllmEngine
from deployments.contracts.chat import ChatRequest, TextDelta
from deployments.contracts.errors import InvalidInput
from tests.engines.asking import answer, ask, events, text_of

pytestmark = pytest.mark.anyio


async def test_the_same_seed_gives_the_same_text(vllm: VllmEngine) -> None:
    first, again, other = [await answer(vllm, ask(seed=seed, temperature=1.0, max_tokens=20)) for seed in (7, 7, 8)]
    assert first[0] == again[0] != other[0]


@pytest.mark.parametrize("seed", [-1, 0, 2**63, -(2**70), 2**80])
async def test_any_integer_is_a_seed(vllm: VllmEngine, seed: int) -> None:
    assert await answer(vllm, ask(seed=seed, max_tokens=8)) == await answer(vllm, ask(seed=seed, max_tokens=8))


async def test_max_tokens_cuts_the_answer(vllm: VllmEngine) -> None:
    _, finish = await answer(vllm, ask(max_tokens=5))
    assert (finish.reason, finish.usage.completion_tokens) == ("length", 5)


async def test_without_max_tokens_the_options_decide(vllm: VllmEngine) -> None:
    _, finish = await answer(vllm, ask(temperature=0))
    assert finish.usage.completion_tokens <= 32


async def test_max_tokens_is_bounded_by_the_room_left(vllm: VllmEngine) -> None:
    request = ask("word " * 1300, max_tokens=10**9)
    _, finish = await answer(vllm, request)
    assert finish.usage.prompt_tokens + finish.usage.completion_tokens <= 4096


async def test_a_prompt_beyond_the_context_is_refused(vllm: VllmEngine) -> None:
    with pytest.raises(InvalidInput) as refused:
        await events(vllm, ask("word " * 9000))
    assert refused.value.param == "messages"


@pytest.mark.parametrize("length", [1, 3, 7])
async def test_a_stop_string_ends_the_answer_and_never_shows(vllm: VllmEngine, length: int) -> None:
    wishes = {"seed": 3, "temperature": 1.0, "max_tokens": 40}
    whole, _ = await answer(vllm, ask(**wishes))
    middle = len(whole) // 2
    stop = whole[middle : middle + length]
    told = await events(vllm, ask(**wishes, stop=(stop, "a stop that never comes")))
    assert text_of(told) == whole[: whole.index(stop)]
    assert told[-1].reason == "stop"
    assert not any(stop in event.text for event in told if isinstance(event, TextDelta))


async def test_penalties_change_the_answer(vllm: VllmEngine) -> None:
    wishes = {"temperature": 0, "max_tokens": 60}
    plain, _ = await answer(vllm, ask(**wishes))
    present, _ = await answer(vllm, ask(**wishes, presence_penalty=2.0))
    frequent, _ = await answer(vllm, ask(**wishes, frequency_penalty=2.0))
    assert plain not in (present, frequent)


async def test_top_k_of_one_is_greedy(vllm: VllmEngine) -> None:
    greedy, _ = await answer(vllm, ask(temperature=0, max_tokens=12))
    narrow, _ = await answer(vllm, ask(temperature=1.5, top_k=1, max_tokens=12))
    assert narrow == greedy


async def test_a_top_k_beyond_the_vocabulary_means_all_of_it(vllm: VllmEngine) -> None:
    wishes = {"seed": 5, "temperature": 1.0, "top_p": 1.0, "max_tokens": 12}
    assert await answer(vllm, ask(**wishes, top_k=2**40)) == await answer(vllm, ask(**wishes, top_k=0))


@pytest.mark.parametrize(
    ("wish", "value"),
    [
        ("temperature", -1.0),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_p", 0.0),
        ("top_p", 1.5),
        ("top_k", -5),
        ("presence_penalty", 3.0),
        ("frequency_penalty", -3.0),
        ("max_tokens", 0),
        ("stop", ("",)),
    ],
)
async def test_values_out_of_range_are_refused(vllm: VllmEngine, wish: str, value: object) -> None:
    with pytest.raises(InvalidInput):
        await events(vllm, ask(**{wish: value}))


async def test_a_prefix_is_cached_under_its_own_salt_only(vllm: VllmEngine) -> None:
    def asked(salt: str) -> ChatRequest:
        return ask("a long text that fills more than one block " * 20, max_tokens=1, cache_salt=salt)

    cached = [(await answer(vllm, asked(salt)))[1].usage.cached_tokens for salt in ("ann", "bob", "ann")]
    assert cached[:2] == [0, 0]
    assert cached[2] > 0


async def test_an_abort_reaches_the_scheduler(vllm: VllmEngine) -> None:
    stream = vllm.generate(ask(max_tokens=3000))
    await anext(stream)
    await stream.aclose()
    running = [vllm.stats()["running"] async for _ in vllm.generate(ask(max_tokens=5))]
    assert max(running) == 1
    assert vllm.stats() == {"running": 0.0, "waiting": 0.0, "kv_cache_usage": 0.0}
