"""The story of the crash."""

from __future__ import annotations

import pytest

from perpkit.devnet.sandboxes import open_sandbox
from perpkit.scenarios import crash
from perpkit.scenarios.story import STORY_START, StoryResult


def play(backend: str) -> StoryResult:
    with open_sandbox(backend, timestamp=STORY_START) as sandbox:
        return crash.play(sandbox)


def test_the_crash_ends_as_it_promises() -> None:
    """Every expectation and every law."""
    result = play("model")

    assert result.holds, (result.expected, result.laws)
    assert len(result.steps) == 6


@pytest.mark.parametrize("backend", ["revm", "anvil"])
def test_the_crash_is_the_same_story_everywhere(backend: str) -> None:
    """The ledger of every step, to the last quantum."""
    model, other = play("model"), play(backend)

    assert (model.digest, model.steps, model.expected) == (other.digest, other.steps, other.expected)
