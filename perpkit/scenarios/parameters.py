"""A story's parameters: what may stand there, and what they were."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, get_type_hints

from perpkit.scenarios.story import StoryResult


@dataclass(frozen=True, slots=True)
class Between:
    """A whole number from `least` to `most`, if there is a most; stands in an annotation beside the words."""

    least: int
    most: int | None = None

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int) or isinstance(value, bool) or value < self.least:
            return False
        return self.most is None or value <= self.most

    def __str__(self) -> str:
        return f"{self.least:,} or more" if self.most is None else f"{self.least:,} to {self.most:,}"


class BadParameter(ValueError):
    """A parameter `name` cannot be `value`; `expected` completes the sentence."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(name, value, expected)
        self.name = name
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.name} cannot be {self.value}: expected {self.expected}."


Seed = Annotated[int, "0 tells the story with its round numbers, any other seed draws the crowd", Between(0)]


def words_of(hint: Any) -> str:
    """What an annotation says of its parameter, as a sentence with the bounds; nothing when it has no words."""
    words = _words(hint).removesuffix(".")
    if not words:
        return ""
    bounds = next((f" ({bound})" for bound in hint.__metadata__ if isinstance(bound, Between)), "")
    return f"{words[:1].upper()}{words[1:]}{bounds}."


def told(play: Callable[..., StoryResult]) -> Callable[..., StoryResult]:
    """A `play` that looks at its parameters first, and writes them into the result."""
    hints = get_type_hints(play, include_extras=True)
    defaults = {p.name: p.default for p in signature(play).parameters.values() if p.kind is Parameter.KEYWORD_ONLY}

    @wraps(play)
    def checked(*sandbox: Any, **given: object) -> StoryResult:
        parameters: Mapping[str, object] = {**defaults, **given}
        for name in defaults:
            _check(name, parameters[name], hints[name])
        return replace(play(*sandbox, **given), parameters=parameters)

    return checked


def _check(name: str, value: object, hint: Any) -> None:
    for bound in getattr(hint, "__metadata__", ()):
        if isinstance(bound, Between) and value not in bound:
            raise BadParameter(name, value, f"a whole number, {bound} ({_words(hint)})")


def _words(hint: Any) -> str:
    return next((word for word in getattr(hint, "__metadata__", ()) if isinstance(word, str)), "")
