"""What the tests of laws share: streams drawn as the jobs view draws them, and one table a law."""

import tomllib

import numpy as np
import pytest

from jfsq_simpy.draws import BLOCK, Purpose, Seed
from jfsq_simpy.laws import LAWS, Law, as_law, checked_draws


def drawn_blocks(law: Law, n_blocks: int, seed: int = 1) -> np.ndarray:
    """Consecutive blocks of one stream, (n_blocks, BLOCK), the state carried as `JobDraws` does."""
    state, blocks = law.start(), []
    for j in range(n_blocks):
        block, state = law.draw_block(Seed.of(seed).generator(0, Purpose.GAPS, j), BLOCK, state)
        blocks.append(checked_draws(law, block, BLOCK))
    return np.array(blocks)


@pytest.fixture
def blocks():
    return drawn_blocks


@pytest.fixture(params=sorted(LAWS))
def example(request):
    """(name, table) of every registered law, the table read from the TOML line it shows its users."""
    return request.param, tomllib.loads(f"x = {LAWS[request.param].example}")["x"]


@pytest.fixture
def any_law(example):
    return as_law(example[1], "size or arrivals")
