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
    """A whole number from `least` to `most`; stands in an annotation beside the words."""

    least: int
    most: int

    def __str__(self) -> str:
        return f"{self.least:,} to {self.most:,}"


class BadParameter(ValueError):
    """A parameter `name` cannot be `value`; `expected` completes the sentence."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(name, value, expected)
        self.name = name
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        return f"{self.name} cannot be {self.value}: expected {self.expected}."


Seed = Annotated[int, "0 tells the story with its round numbers, any other seed draws the crowd", Between(0, 2**63)]


def words_of(hint: Any) -> str:
    """What an annotation says of its parameter, as a sentence with the bounds."""
    metadata = getattr(hint, "__metadata__", ())
    words = next((word for word in metadata if isinstance(word, str)), "").removesuffix(".")
    bounds = next((f" [{bound}]" for bound in metadata if isinstance(bound, Between) and bound.most < 2**53), "")
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
        if isinstance(bound, Between):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not bound.least <= value <= bound.most:  # type: ignore[operator]
                raise BadParameter(name, value, f"a whole number from {bound} ({_words(hint)})")


def _words(hint: Any) -> str:
    return next((word for word in hint.__metadata__ if isinstance(word, str)), "")
