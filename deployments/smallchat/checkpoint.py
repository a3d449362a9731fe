"""Makes the small chat checkpoint: `python -m deployments.smallchat.checkpoint [--out FOLDER]`."""

import argparse
import fcntl
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployments.smallchat import corpus

VERSION = 1
"""Raised whenever this recipe gives other files."""

DEFAULT_OUT = Path(__file__).parent / "weights"
CONTEXT = 8192

_STAMP = "polyphony.json"
_TEMPLATE = Path(__file__).with_name("chat_template.jinja")
_SEED = 20261120
_VOCABULARY = 2048
_CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_TAGS = (
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<tools>",
    "</tools>",
    "<think>",
    "</think>",
)


def ensure(out: Path = DEFAULT_OUT) -> bool:
    """Make the checkpoint at `out` unless it is there; true if it was made. Safe beside others doing the same."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with _lock(out.with_name(f".{out.name}.lock")):
        if _is_current(out):
            return False
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.", ignore_cleanup_errors=True) as folder:
            made = Path(folder) / "made"
            made.mkdir()
            _write(made)
            if out.exists():
                out.rename(Path(folder) / "replaced")
            made.rename(out)
    return True


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_current(out: Path) -> bool:
    try:
        return bool(json.loads((out / _STAMP).read_text())["version"] == VERSION)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write(folder: Path) -> None:
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    shutil.copyfile(_TEMPLATE, folder / _TEMPLATE.name)
    _model(tokenizer).save_pretrained(folder)
    (folder / _STAMP).write_text(json.dumps({"version": VERSION}))


def _tokenizer() -> Any:
    """Byte-level BPE: every text has tokens, and they give it back exactly."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    words = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(corpus.lines(), trainer)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _CONTROL])
    backend.add_tokens([AddedToken(token, special=False, normalized=False) for token in _TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def _model(tokenizer: Any) -> Any:
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    config = Qwen3Config(
        vocab_size=-(-len(tokenizer) // 64) * 64,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        dtype=torch.bfloat16,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        model = Qwen3ForCausalLM(config).to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=0.7, top_p=0.95, eos_token_id=[end], pad_token_id=pad
    )
    return model


def main() -> None:
    """Make the checkpoint and say where it lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder to make (default: %(default)s)")
    out = parser.parse_args().out
    print(f"{'made' if ensure(out) else 'already there'}: {out}")


if __name__ == "__main__":
    main()
