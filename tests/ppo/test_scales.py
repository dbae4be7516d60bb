"""Scales are the mean and deviation of all that was seen, wherever a policy acts."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from refimpl.ppo import ActorCritic, evaluate
from refimpl.ppo.rollout import Rollout
from refimpl.ppo.scales import RewardsSoFar, Scale
from tests.ppo.odd_worlds import (
    BreakingError,
    Breaks,
    Odd,
    Simple,
    plain_policy,
    ran,
    same,
    students,
)

BOTH = ("observations", "rewards")


@pytest.mark.parametrize("sizes", [[60], [1, 59], [20, 1, 39], [1] * 60])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_a_scale_is_that_of_all_rows_whatever_the_batches(sizes, shape):
    rows = np.random.default_rng(0).normal(1000, 3, (60, *shape)).astype(np.float32)
    scale = Scale(shape)
    for part in np.split(rows, np.cumsum(sizes)[:-1]):
        scale.update(part)
    exact = rows.astype(np.float64)
    assert float(scale.count.numpy()) == 60
    np.testing.assert_allclose(scale.mean, exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(scale.variance, exact.var(axis=0), rtol=1e-9)
    mean, std = scale.moments()
    assert mean.dtype == std.dtype == np.float32
    np.testing.assert_allclose(std, exact.std(axis=0), rtol=1e-6)


def test_a_scale_by_hand():
    scale = Scale((1,))
    scale.update(np.array([[1.0], [3.0]]))  # mean 2, variance 1
    x = np.array([[2.0], [4.0], [1e6], [-1e6]], np.float32)
    np.testing.assert_allclose(scale(x)[:, 0], [0, 2, 10, -10], rtol=1e-5)
    scale.update(np.array([[8.0]]))  # of 1, 3, 8: mean 4, variance 26 / 3
    np.testing.assert_allclose(scale.mean, [4])
    np.testing.assert_allclose(scale.variance, [26 / 3])


def test_a_scale_that_has_seen_nothing_changes_nothing():
    x = np.array([[0.5, -3.0]], np.float32)
    np.testing.assert_allclose(Scale((2,))(x), x, rtol=1e-6)


def test_no_gradient_changes_a_scale():
    policy = plain_policy(students(), normalize=BOTH)
    assert len(policy.non_trainable_variables) == 6  # count, mean, variance of each
    assert len(policy.trainable_variables) == 8


def rollout(rewards, terminated, truncated, valid):
    arrays = [np.array(x).T for x in (rewards, terminated, truncated, valid)]
    rewards, *flags = [x[:, None] if x.ndim == 1 else x for x in arrays]
    nothing = np.zeros(len(rewards))
    flags = [x.astype(bool) for x in flags]
    return Rollout([], nothing, nothing, rewards.astype(np.float32), *flags)


def test_rewards_so_far_by_hand():
    # Two environments. In the first an episode ends at step 1; step 2 is a reset.
    part = rollout(
        rewards=[[1, 2, 100, 4], [1, 1, 1, 1]],
        terminated=[[0, 1, 0, 0], [0, 0, 0, 0]],
        truncated=[[0, 0, 0, 0], [0, 0, 0, 1]],
        valid=[[1, 1, 0, 1], [1, 1, 1, 1]],
    )
    scale, so_far = Scale(()), RewardsSoFar(0.5)
    so_far.reset(2)
    scaled = so_far.scaled(part, scale)
    sums = [1, 2.5, 4, 1, 1.5, 1.75, 1.875]
    np.testing.assert_allclose(scale.mean, np.mean(sums))
    np.testing.assert_allclose(scale.variance, np.var(sums))
    np.testing.assert_allclose(scaled, part.rewards / np.std(sums), rtol=1e-5)
    # The first environment's episode goes on in the next part, the second's not.
    so_far.scaled(rollout([[1], [1]], [[0], [0]], [[0], [0]], [[1], [1]]), scale)
    sums += [0.5 * 4 + 1, 1]
    np.testing.assert_allclose(scale.mean, np.mean(sums))
    np.testing.assert_allclose(scale.variance, np.var(sums))
    # And after a reset of all of them, neither.
    so_far.reset(2)
    so_far.scaled(rollout([[1], [1]], [[0], [0]], [[0], [0]], [[1], [1]]), scale)
    np.testing.assert_allclose(scale.mean, np.mean([*sums, 1, 1]))


def test_without_a_scale_rewards_stay_as_they_are():
    part = rollout([[1, 2]], [[0, 0]], [[0, 0]], [[1, 1]])
    assert RewardsSoFar(0.9).scaled(part, None) is part.rewards


def test_training_measures_what_was_seen_and_leaves_resets_out():
    envs = students()
    policy = plain_policy(envs, normalize=BOTH)
    history, _ = ran("train", envs, policy)
    assert float(policy.observation_scale.count.numpy()) == history.steps[-1]
    assert float(policy.reward_scale.count.numpy()) == history.steps[-1]
    shares = policy.observation_scale.mean.numpy()
    assert shares.sum() == pytest.approx(1)  # of states, which are one-hot
    np.testing.assert_allclose(policy.observation_scale.variance, shares[0] * shares[1])


def resumed(path, **settings):
    """The same training, whole and after its environment broke down."""

    def run(envs, name, seed=0):
        policy = plain_policy(envs, seed, normalize=BOTH)
        given = {"checkpoint": path / name, "checkpoint_every": 2, "updates": 5}
        return ran("train", envs, policy, learning_rate=0.02, **given, **settings)

    whole = run(Breaks(students(), at=-1), "whole.npz")
    with pytest.raises(BreakingError):  # in the fourth update; the second was saved
        run(Breaks(students(), at=3 * 8 + 3), "parts.npz")
    return whole, run(Breaks(students(), at=-1), "parts.npz", seed=9)


def test_a_scaled_run_resumes_bit_for_bit(tmp_path):
    whole, parts = resumed(tmp_path)
    assert same(whole, parts)
    assert len(whole[0]) == 5


def sevens():
    """7 is seen first, then 9: at 7 it pays to choose 0, at 9 to choose 1."""

    def seen(envs):
        return np.full((envs.num_envs, 1), 7 + 2 * (envs.time % 2), np.float32)

    def pay(envs, actions):
        return (actions == 1 - envs.time % 2).astype(float)

    return Simple(Box(0, 99, (1,), np.float32), Discrete(2), seen, pay, length=6)


def test_an_evaluation_uses_the_scales():
    # No hidden layer: above the mean choose 1, below it 0. Of 7 and 9 it is 8.
    envs = sevens()
    policy = ActorCritic(envs, (), seed=0, normalize=["observations"])
    kernel = policy.actor.layers[-1].kernel
    kernel.assign([[-1.0, 1.0]])
    assert (evaluate(policy, envs, seed=0) == 3).all()  # always 1: right at 9 only
    policy.observation_scale.update(np.array([[7.0], [9.0]]))
    assert (evaluate(policy, envs, seed=0) == 6).all()
    before = [v.numpy() for v in policy.variables]
    evaluate(policy, envs, seed=0)
    for one, other in zip(before, policy.variables, strict=True):
        np.testing.assert_array_equal(one, other)  # looking does not measure


def paid(factor, normalize):
    def change(step):
        return [step[0], factor * step[1], *step[2:]]

    envs = Odd(students(), change)
    policy = plain_policy(envs, normalize=normalize)
    return ran("train", envs, policy, updates=4, learning_rate=0.01)[0]


@pytest.mark.parametrize("factor", [10.0, 1000.0])
def test_a_factor_of_all_rewards_changes_nothing_if_they_are_scaled(factor):
    one, other = paid(1.0, ("rewards",)), paid(factor, ("rewards",))
    np.testing.assert_allclose(other.kl, one.kl, rtol=1e-3)
    np.testing.assert_allclose(other.value_loss, one.value_loss, rtol=1e-3)
    np.testing.assert_allclose(other.mean_return(), factor * one.mean_return())


def test_without_a_scale_a_factor_of_all_rewards_changes_what_is_learned():
    one, other = paid(1.0, ()), paid(1000.0, ())
    assert np.abs(np.array(other.kl) / one.kl - 1).max() > 0.1


def test_a_mask_is_read_before_it_is_scaled():
    envs = students()  # one-hot: as a mask, it allows one action
    policy = plain_policy(envs, masked=True, normalize=["observations"])
    policy.observation_scale.update(np.random.default_rng(0).random((9, 2)))
    seen = np.eye(2, dtype=np.float32)
    assert (policy(seen)[0].numpy()[[0, 1], [1, 0]] == -1e9).all()
    assert policy.act(seen, 100 * np.ones((2, 2))).tolist() == [0, 1]


def test_what_cannot_be_normalized_is_named():
    with pytest.raises(ValueError, match="normalize: .* got .'actions'"):
        plain_policy(students(), normalize=["actions", "rewards"])


def test_a_scale_of_other_settings_is_refused_by_name(tmp_path):
    path = tmp_path / "run.npz"
    ran("train", checkpoint=path)
    policy = plain_policy(students(), normalize=["rewards"])
    with pytest.raises(ValueError, match="made with policy=.*rewards"):
        ran("train", policy=policy, checkpoint=path)
