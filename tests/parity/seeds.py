"""Where randomness begins: one seed, printed, so that every failure can be seen again."""

from __future__ import annotations

import os
import random

SEED = int(os.environ.get("PERPKIT_SEED", "20260101"))
WALK_STEPS = int(os.environ.get("PERPKIT_WALK_STEPS", "40000"))


def seeded(*path: object) -> random.Random:
    """A generator of its own for one purpose. Set PERPKIT_SEED to see other numbers."""
    seed = ":".join(map(str, (SEED, *path)))
    print(f"seed {seed!r} (PERPKIT_SEED={SEED})")
    return random.Random(seed)
