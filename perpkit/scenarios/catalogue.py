"""Every story by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from perpkit.scenarios import (
    bank_run,
    basis_hedge,
    cascade,
    crash,
    flash_crash,
    funding_drag,
    gap_through_stop,
    insurance_drained_adl,
    isolated_vs_cross,
    leveraged_token_decay,
    oracle_lies,
    oracle_stale,
    scale_out,
    short_squeeze,
    stop_hunt,
    venue_outage,
    withdrawal_halt,
)
from perpkit.scenarios.parameters import told
from perpkit.scenarios.story import StoryResult


class Story(Protocol):
    """A module of a story: `play(sandbox, *, ...)` takes its parameters by name, each with a default."""

    NAME: str
    IN_A_LINE: str

    @property
    def play(self) -> Callable[..., StoryResult]: ...


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story as the catalogue tells of it."""

    name: str
    in_a_line: str
    play: Callable[..., StoryResult]


class UnknownScenario(ValueError):
    """`name` is no scenario."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"there is no scenario {self.name!r}: choose one of {', '.join(SCENARIOS)}."


# In the order of their names.
_STORIES: tuple[Story, ...] = (
    bank_run,
    basis_hedge,
    cascade,
    crash,
    flash_crash,
    funding_drag,
    gap_through_stop,
    insurance_drained_adl,
    isolated_vs_cross,
    leveraged_token_decay,
    oracle_lies,
    oracle_stale,
    scale_out,
    short_squeeze,
    stop_hunt,
    venue_outage,
    withdrawal_halt,
)
SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {story.NAME: Scenario(story.NAME, story.IN_A_LINE, told(story.play)) for story in _STORIES}
)
