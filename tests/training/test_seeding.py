from __future__ import annotations

import random

import numpy as np
import torch

from setgf.training.seeding import random_states, restore_random_states, seed_everything


def draw():
    return random.random(), np.random.rand(), torch.rand(2).tolist()  # noqa: NPY002


def test_every_random_source_starts_from_the_seed():
    seed_everything(5)
    first = draw()
    seed_everything(5)

    assert draw() == first


def test_random_sources_go_on_where_they_were():
    seed_everything(5)
    states = random_states()
    expected = draw()
    draw()

    restore_random_states(states)

    assert draw() == expected
