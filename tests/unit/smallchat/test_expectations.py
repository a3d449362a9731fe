"""What counts as a right answer."""

from typing import Any

import pytest

from deployments.smallchat.expectations import Answer, occurs, shortfalls


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ("Paris", "It is PARIS."),
        ("18", "It costs 18."),
        ("18", "18, I think"),
        ("18.50", "That is €18.50, please."),
        ("two weeks", "within two\n  weeks"),
        ("don't say", "The documents don’t say."),
        ("$40", "You pay $40."),
        ("C++", "Written in C++."),
    ],
)
def test_an_item_occurs(item: str, text: str) -> None:
    assert occurs(item, text)


@pytest.mark.parametrize(
    ("item", "text"),
    [("18", "18.50"), ("18", "1,018"), ("18", "181"), ("18", "at 18:30"), ("30", "at 18:30"), ("art", "a party")],
)
def test_a_part_of_another_word_or_number_is_no_occurrence(item: str, text: str) -> None:
    assert not occurs(item, text)


@pytest.mark.parametrize(
    ("expect", "answer"),
    [
        ({"says": ["18", ["Paris", "the French capital"]]}, Answer("In the French capital, 18.")),
        ({"not_says": ["19"]}, Answer("18")),
        ({"exactly": ["a b c"]}, Answer(' "A b\nC." ')),
        ({"exactly": ["no", "nope"]}, Answer("Nope!")),
        ({"verbatim": ["ORANGE", "O R"]}, Answer("ORANGE.\n")),
        ({"words": {"least": 2, "most": 3}}, Answer("one two three")),
        ({"words": {"least": 2}}, Answer("one two three four")),
        ({"no_call": True}, Answer("hello")),
        ({"call": {"name": "f", "arguments": {"a": 2, "b": "x"}}}, Answer("", (("f", '{"a": 2.0, "b": " x "}'),))),
        ({"call": {"name": "f", "arguments": {}}}, Answer("", (("f", '{"note": null}'),))),
        ({"call": {"name": "f", "arguments": {"a": [{"b": True}]}}}, Answer("", (("f", '{"a": [{"b": true}]}'),))),
        ({"json": {"name": "Ana Ruiz", "tax": None}}, Answer('{"name": "Ana  Ruiz", "other": 1}')),
        ({"json": {"total": 12.5, "tax": None}}, Answer('{"total": 12.50, "tax": null}')),
    ],
)
def test_an_answer_that_passes(expect: dict[str, Any], answer: Answer) -> None:
    assert shortfalls(expect, answer) == []


@pytest.mark.parametrize(
    ("expect", "answer", "amiss"),
    [
        ({"says": ["18", ["Rome", "Roma"]]}, Answer("Paris, 18"), 'does not say "Rome" or "Roma"'),
        ({"not_says": ["Friday"]}, Answer("On friday."), 'says "Friday"'),
        ({"exactly": ["no"]}, Answer("no, thanks"), 'is not "no"'),
        ({"verbatim": ["ORANGE"]}, Answer("Orange"), 'is not, letter for letter, "ORANGE"'),
        ({"words": {"least": 1, "most": 2}}, Answer("one two three"), "has 3 words, not 1 to 2"),
        ({"words": {"least": 1}}, Answer(""), "has 0 words, not 1 to any"),
        ({"no_call": True}, Answer("", (("f", "{}"),)), "makes a call"),
        ({"json": {"a": "x"}}, Answer("x"), "is not a JSON object"),
        ({"json": {"a": "x", "b": "y"}}, Answer('{"a": "x", "b": "Y"}'), 'has not {"b": "y"}'),
        ({"json": {"a": None}}, Answer('{"a": "x"}'), 'has not {"a": null}'),
    ],
)
def test_an_answer_that_falls_short_and_how(expect: dict[str, Any], answer: Answer, amiss: str) -> None:
    assert shortfalls(expect, answer) == [amiss]


@pytest.mark.parametrize(
    "calls",
    [
        (),
        (("f", '{"a": 1}'), ("f", '{"a": 1}')),
        (("g", '{"a": 1}'),),
        (("f", '{"a": "1"}'),),
        (("f", '{"a": true}'),),
        (("f", '{"a": 1, "b": 2}'),),
        (("f", "{}"),),
        (("f", "not JSON"),),
    ],
)
def test_only_the_one_call_will_do(calls: tuple[tuple[str, str], ...]) -> None:
    (amiss,) = shortfalls({"call": {"name": "f", "arguments": {"a": 1}}}, Answer("", calls))
    assert amiss == 'does not make the one call {"name": "f", "arguments": {"a": 1}}'


def test_every_shortfall_is_told() -> None:
    assert len(shortfalls({"says": ["a"], "not_says": ["b"], "words": {"most": 1}}, Answer("b c"))) == 3


def test_an_unknown_expectation_is_a_mistake_of_the_set() -> None:
    with pytest.raises(KeyError):
        shortfalls({"sais": ["a"]}, Answer("a"))
