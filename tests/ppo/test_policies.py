"""Distributions, initial weights, and the spaces that are supported."""

import types

import gymnasium as gym
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

from refimpl.ppo import ActorCritic
from refimpl.ppo.distributions import Categorical, Gaussian


def spaces(observations, actions):
    return types.SimpleNamespace(
        single_observation_space=observations, single_action_space=actions
    )


CART = spaces(Box(-1, 1, (4,)), Discrete(2))


def test_categorical_by_hand():
    logits = np.log(np.array([[0.2, 0.3, 0.5]], np.float32)) + 7
    choice = Categorical(Discrete(3))
    np.testing.assert_allclose(choice.log_prob(logits, [1]), np.log([0.3]), rtol=1e-5)
    entropy = -(0.2 * np.log(0.2) + 0.3 * np.log(0.3) + 0.5 * np.log(0.5))
    np.testing.assert_allclose(choice.entropy(logits), [entropy], rtol=1e-5)
    assert choice.sampler()(logits, np.zeros_like(logits)).tolist() == [2]  # the mode


def test_gumbel_noise_draws_with_the_right_probabilities():
    p = np.array([0.2, 0.3, 0.5])
    choice = Categorical(Discrete(3))
    noise = choice.noise(np.random.default_rng(0), (20_000,))
    drawn = choice.sampler()(np.log(p).astype(np.float32), noise)
    counts = np.bincount(drawn, minlength=3)
    assert scipy.stats.chisquare(counts, 20_000 * p).pvalue > 0.01


def test_discrete_actions_need_not_begin_at_0():
    choice = Categorical(Discrete(3, start=5))
    assert choice.executed(np.array([0, 2])).tolist() == [5, 7]


def test_gaussian_equals_scipy():
    normal = Gaussian(Box(-1, 1, (2,)))
    normal.log_std.assign([0.3, -1.0])
    mean = np.array([[0.5, -2.0]], np.float32)
    actions = np.array([[1.5, -1.0]], np.float32)
    theirs = scipy.stats.norm(mean, np.exp([0.3, -1.0]))
    np.testing.assert_allclose(
        normal.log_prob(mean, actions), theirs.logpdf(actions).sum(axis=1), rtol=1e-5
    )
    np.testing.assert_allclose(
        normal.entropy(mean), theirs.entropy().sum(axis=1), rtol=1e-5
    )
    noise = np.array([[1.0, -2.0]], np.float32)
    np.testing.assert_allclose(
        normal.sampler()(mean, noise), mean + noise * np.exp([0.3, -1.0]), rtol=1e-5
    )
    np.testing.assert_array_equal(normal.sampler()(mean, 0 * noise), mean)


def test_gaussian_actions_are_executed_within_bounds():
    normal = Gaussian(Box(np.float32([-1, 0]), np.float32([1, 5])))
    executed = normal.executed(np.array([[-3.0, 7.0], [0.5, 0.5]], np.float32))
    assert executed.tolist() == [[-1, 5], [0.5, 0.5]]
    assert executed.dtype == np.float32


def test_initial_weights_are_orthogonal_with_the_gains_of_the_literature():
    policy = ActorCritic(CART, hidden=(8, 8), seed=0)
    for network, last in ((policy.actor, 0.01), (policy.critic, 1.0)):
        kernels, biases = network.weights[::2], network.weights[1::2]
        for kernel, gain in zip(kernels, (2**0.5, 2**0.5, last), strict=True):
            w = kernel.numpy()
            product = w @ w.T if w.shape[0] < w.shape[1] else w.T @ w
            np.testing.assert_allclose(
                product, gain**2 * np.eye(len(product)), atol=1e-5
            )
        assert all((bias.numpy() == 0).all() for bias in biases)
    # Layers of one shape differ, though an initializer with a seed repeats itself.
    first, second = policy.actor.weights[2], policy.critic.weights[2]
    assert first.shape == second.shape
    assert not np.allclose(first, second)


def test_the_seed_alone_decides_the_weights():
    made = [ActorCritic(CART, (8,), seed=seed).get_weights() for seed in (0, 0, 1)]
    assert all(map(np.array_equal, made[0], made[1]))
    assert not np.array_equal(made[0][0], made[2][0])


def test_at_first_all_actions_are_about_equally_likely():
    policy = ActorCritic(CART, seed=0)
    logits, values = policy(np.random.default_rng(0).normal(size=(50, 4)))
    assert tf.nn.softmax(logits).numpy() == pytest.approx(0.5, abs=0.01)
    assert values.shape == (50,)


def test_the_deviation_is_learned():
    policy = ActorCritic(
        spaces(CART.single_observation_space, Box(-1, 1, (3,))), seed=0
    )
    assert any(v is policy.distribution.log_std for v in policy.trainable_variables)
    assert policy(np.zeros((5, 4)))[0].shape == (5, 3)


BOTH = r"expected Discrete or Box \(floats, one axis\) actions"


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (Dict({"a": Box(-1, 1, (2,))}), Discrete(2), "expected a Box .* got Dict"),
        (Box(0, 255, (8, 8, 3)), Discrete(2), "expected a Box with one axis"),
        (Discrete(5), Discrete(2), "expected a Box .* got Discrete"),
        (Box(-1, 1, (4,)), MultiDiscrete([2, 2]), BOTH),
        (Box(-1, 1, (4,)), Box(-1, 1, (2, 2)), BOTH),
        (Box(-1, 1, (4,)), Box(-1, 1, ()), BOTH),
        (Box(-1, 1, (4,)), Box(0, 3, (1,), np.int64), BOTH),
    ],
)
def test_an_unsupported_space_is_named(observations, actions, message):
    with pytest.raises(ValueError, match=f"envs: {message}"):
        ActorCritic(spaces(observations, actions), seed=0)


def test_gymnasiums_cart_pole_and_pendulum_are_supported():
    for name, outputs in (("CartPole-v1", 2), ("Pendulum-v1", 1)):
        policy = ActorCritic(gym.make_vec(name, num_envs=2), (4,), seed=0)
        assert policy.actor.output_shape == (None, outputs)
