"""The small checkpoint: made once, whole, always the same; its tokenizer loses nothing."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from deployments.smallchat import checkpoint


def _digest(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_processes_that_meet_make_it_once_and_alike(tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "new" / "weights"
    command = [sys.executable, "-m", "deployments.smallchat.checkpoint", "--out", str(out)]
    makers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(maker.communicate()[0].split(":")[0] for maker in makers)
    assert said == ["already there", "made"]
    assert _digest(out) == _digest(weights)
    assert {path.name for path in out.parent.iterdir()} == {"weights", ".weights.lock"}


def test_one_that_is_there_is_left_alone(weights: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in weights.iterdir()}
    assert not checkpoint.ensure(weights)
    assert {file.name: file.stat().st_mtime_ns for file in weights.iterdir()} == before


@pytest.mark.parametrize("stamp", [None, "", "{}", "[]", json.dumps({"version": 0})])
def test_one_that_is_stale_or_partial_is_replaced(tmp_path: Path, stamp: str | None, weights: Path) -> None:
    out = tmp_path / "weights"
    out.mkdir()
    (out / "leftover").touch()
    if stamp is not None:
        (out / "polyphony.json").write_text(stamp)
    assert checkpoint.ensure(out)
    assert _digest(out) == _digest(weights)


@pytest.mark.parametrize(
    "text", ["Hello, wörld!", "日本語 🎶", " \t\n\r\n  x ", "\x00\x7f�", '{"a": [1, 2.5e-3]}', "ß" * 50, ""]
)
def test_any_text_comes_back_from_its_tokens(weights: Path, text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(weights)
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_the_template_writes_chatml(weights: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(weights)
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "1?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call, call]},
        {"role": "tool", "content": "one"},
        {"role": "tool", "content": "two"},
    ]
    tool = {"type": "function", "function": {"name": "add", "description": "<b>", "parameters": {}}}
    text = tokenizer.apply_chat_template(messages, tools=[tool], tokenize=False, add_generation_prompt=True)
    system, rest = text.split("<|im_end|>\n", 1)
    assert system.startswith("<|im_start|>system\nBe kind.\n\n")
    assert json.dumps(tool) in system
    written = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
    assert rest == (
        "<|im_start|>user\n1?<|im_end|>\n"
        f"<|im_start|>assistant\nLet me see.\n{written}\n{written}<|im_end|>\n"
        "<|im_start|>user\n<tool_response>\none\n</tool_response>\n<tool_response>\ntwo\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_thinking_is_opened_by_the_template_on_demand(weights: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(weights)
    messages = [{"role": "user", "content": "hi"}]
    asked = {
        thinking: tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=thinking
        )
        for thinking in (True, False)
    }
    assert asked == {
        True: "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n",
        False: "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    }
