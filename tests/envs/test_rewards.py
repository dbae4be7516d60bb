"""Other rewards: what items cost, and whose reward is whose."""

import numpy as np
import pytest

from refimpl.envs import AdaptiveTest, even_exposure, shuffled

J = 6
CORRECT = np.random.default_rng(0).integers(2, size=(30, J))


def model(items, answers):
    p = (answers.sum(axis=1) + 1) / (items.shape[1] + 2)
    return np.repeat(p[:, None], J, axis=1)


def play(change):
    plain, other = (AdaptiveTest(CORRECT, model, 8, 3) for _ in range(2))
    changed = change(other)
    plain.reset(seed=0)
    changed.reset(seed=0)
    for _ in range(8):
        action = plain.allowed.argmax(axis=1)
        yield plain, plain.step(action)[1], changed.step(action)[1]


def test_an_item_costs_its_share():
    for envs, reward, priced in play(lambda envs: even_exposure(envs, 0.5)):
        if envs.asked == 0:
            assert (priced == 0).all()
            continue
        for student in range(8):
            item = envs.items[student, -1]
            share = (envs.items == item).any(axis=1).mean()
            assert priced[student] == pytest.approx(reward[student] - 0.5 * share)


def test_shuffled_rewards_are_the_same_ones_in_another_order():
    moved = False
    for _, reward, other in play(lambda envs: shuffled(envs, seed=0)):
        np.testing.assert_array_equal(np.sort(reward), np.sort(other))
        moved |= bool((reward != other).any())
    assert moved
