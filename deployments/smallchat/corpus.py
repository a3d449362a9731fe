"""A few hundred short lines of English and JSON, from which the tokenizer learns what text looks like."""

import json
from collections.abc import Iterator
from itertools import product

_SUBJECTS = ("I", "You", "We", "They", "She", "He", "The model", "The server", "Our team", "A friend", "The teacher")
_VERBS = ("can see", "wrote", "would like", "found", "will send", "asked about", "is reading", "needs", "remembers")
_OBJECTS = (
    "the answer to your question",
    "a short message",
    "the weather in Paris today",
    "three numbers between one and ten",
    "what happened yesterday",
    "the name of this document",
)
_QUESTIONS = (
    "What is",
    "Where is",
    "Who wrote",
    "How do I find",
    "Why does it matter,",
    "When did you see",
    "Please show me",
)
_TOOLS = ("get_weather", "search", "add_numbers", "send_message", "read_document", "current_time")
_KEYS = ("city", "query", "unit", "text", "limit", "user_id", "date", "values")
_VALUES = ("Paris", "New York", "celsius", "hello world", 1, 25, 3.14, True, False, None, [1, 2, 3], {"type": "string"})
_SENTENCES = (
    "Hello! How can I help you today?",
    "I'm sorry, I don't know that. Could you tell me more?",
    "Once upon a time, there was a small house by the river.",
    "It's 21 degrees and sunny, with a light wind from the west.",
    "def add(a, b):\n    return a + b\n",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 50, 100, 1000, 2026",
    "First, open the file. Then, read every line. Finally, close it.",
    "Thank you very much! You're welcome. Yes, of course. No, not yet.",
    "https://www.example.com/path?query=value&page=2",
    "Guten Tag! Bonjour, ça va ? ¿Cómo estás? Olá, tudo bem?",
)


def lines() -> Iterator[str]:
    """The corpus, always the same and in the same order."""
    yield from _SENTENCES
    for subject, verb, thing in product(_SUBJECTS, _VERBS, _OBJECTS):
        yield f"{subject} {verb} {thing}."
    for question, thing in product(_QUESTIONS, _OBJECTS):
        yield f"{question} {thing}?"
    for tool, key in product(_TOOLS, _KEYS):
        for value in _VALUES:
            yield json.dumps({"name": tool, "arguments": {key: value}})
        schema = {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]}
        yield json.dumps({"type": "function", "function": {"name": tool, "description": "", "parameters": schema}})
