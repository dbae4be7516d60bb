"""Bandit rules: indices by hand, published Gittins indices, and their order."""

import numpy as np
import pytest

from refimpl.baselines.bandits import (
    gittins,
    gittins_index,
    greedy,
    mean,
    play,
    random_arm,
    thompson,
    ucb1,
)
from refimpl.envs import BernoulliBandits


def test_means_by_hand():
    wins, losses = np.array([[0, 3, 1]]), np.array([[0, 0, 3]])
    np.testing.assert_allclose(mean(wins, losses), [[1 / 2, 4 / 5, 2 / 6]])
    assert greedy(wins, losses, None).argmax() == 1


def test_ucb1_by_hand():
    wins, losses = np.array([[2.0, 0.0]]), np.array([[1.0, 1.0]])
    t = np.log(4)  # four pulls so far
    expected = [3 / 5 + 0.5 * (2 * t / 5) ** 0.5, 1 / 3 + 0.5 * (2 * t / 3) ** 0.5]
    np.testing.assert_allclose(ucb1(0.5)(wins, losses, None)[0], expected)


@pytest.mark.parametrize(
    ("discount", "wins", "losses", "index"),
    # Gittins, Glazebrook & Weber (2011), the table of Beta(1 + wins, 1 + losses).
    [
        (0.9, 0, 0, 0.7029),
        (0.9, 1, 0, 0.8001),
        (0.9, 0, 1, 0.5001),
        (0.99, 0, 0, 0.8699),
    ],
)
def test_gittins_indices_are_the_published_ones(discount, wins, losses, index):
    table = gittins_index(discount, pulls=2)
    assert table[wins, losses] == pytest.approx(index, abs=0.001)


def test_a_gittins_index_is_the_mean_if_only_the_next_reward_counts():
    wins, losses = np.meshgrid([0, 1, 2], [0, 1, 2], indexing="ij")
    table = gittins_index(1e-9, pulls=4, depth=5)
    np.testing.assert_allclose(table[:3, :3], mean(wins, losses), atol=0.001)


def test_thompson_chooses_by_the_probability_of_being_best():
    # Beta(2, 1) against Beta(1, 1): P(better) = integral of 2x * x dx = 2/3.
    wins, losses = np.tile([1.0, 0.0], (30_000, 1)), np.zeros((30_000, 2))
    chosen = thompson(wins, losses, np.random.default_rng(0)).argmax(axis=1)
    assert (chosen == 0).mean() == pytest.approx(2 / 3, abs=0.01)


def test_play_counts_what_each_arm_gave():
    seen = []

    def rule(wins, losses, rng):
        seen.append((wins.copy(), losses.copy()))
        return np.tile([0.0, 1.0, 0.0], (5, 1))  # always the second

    rewards = play(BernoulliBandits(5, pulls=3, arms=3), rule, seed=0)
    assert rewards.shape == (5, 3)
    wins, losses = seen[-1]
    np.testing.assert_array_equal(wins[:, 1], rewards[:, :2].sum(axis=1))
    np.testing.assert_array_equal(wins[:, 1] + losses[:, 1], 2)
    assert not wins[:, [0, 2]].any()


def test_the_rules_meet_the_same_students_and_rank_as_they_should():
    totals = {}
    rules = {"random": random_arm, "thompson": thompson, "gittins": gittins(0.9, 10)}
    for name, rule in rules.items():
        envs = BernoulliBandits(4000, pulls=10, arms=5)
        totals[name] = play(envs, rule, seed=1).sum(axis=1).mean()
    assert totals["random"] == pytest.approx(5, abs=0.15)
    assert totals["thompson"] == pytest.approx(5.8, abs=0.15)
    assert totals["gittins"] == pytest.approx(6.6, abs=0.15)


def test_gittins_names_what_it_cannot_tell():
    with pytest.raises(ValueError, match="pulls: expected 6 or more, got 5"):
        gittins(0.9, 5)(np.array([[5, 0]]), np.array([[1, 5]]), None)
    for discount in (1.0, -0.1):
        with pytest.raises(ValueError, match="discount: expected 0 or more and below"):
            gittins_index(discount, 5)
