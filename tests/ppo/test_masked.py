"""Masked actions: a probability of exactly 0, and never a NaN."""

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf

from refimpl.envs import AdaptiveTest
from refimpl.ppo import ActorCritic, train
from refimpl.ppo.objectives import Batch, clipped_surrogate, ppo_loss

N = 5


class Spaces:
    single_observation_space = gym.spaces.Box(-1, 1, (3 + N,), np.float32)
    single_action_space = gym.spaces.Discrete(N)


@pytest.fixture
def policy():
    policy = ActorCritic(Spaces(), (16,), seed=0, masked=True)
    for weight in policy.actor.trainable_variables:  # the start is nearly uniform
        weight.assign(3 * np.random.default_rng(0).standard_normal(weight.shape))
    return policy


@pytest.fixture
def observations():
    rng = np.random.default_rng(1)
    mask = rng.random((200, N)) < 0.4
    mask[np.arange(200), rng.integers(N, size=200)] = True
    return np.concatenate([rng.normal(size=(200, 3)), mask], axis=1).astype("float32")


def test_what_is_not_allowed_has_probability_exactly_zero(policy, observations):
    allowed = observations[:, -N:] == 1
    probability = tf.nn.softmax(policy(observations)[0]).numpy()
    assert (probability[~allowed] == 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-5)


def test_what_is_allowed_keeps_its_odds(policy, observations):
    allowed = observations[:, -N:] == 1
    logits = policy(observations)[0].numpy()
    np.testing.assert_array_equal(
        logits[allowed], policy.actor.net(observations).numpy()[allowed]
    )


def test_the_greedy_and_the_sampled_action_are_allowed(policy, observations):
    act, rng, rows = policy.acting(), np.random.default_rng(0), np.arange(200)
    logits = policy(observations)[0].numpy()
    for scale in [0] + 50 * [1]:
        noise = scale * policy.distribution.noise(rng, (200,))
        actions = act(observations, noise)
        assert (observations[rows, actions - N] == 1).all()
        np.testing.assert_array_equal(actions, (logits + noise).argmax(axis=1))


@pytest.mark.parametrize("entropy_weight", [0.0, 0.1])
def test_the_gradient_of_loss_and_entropy_is_finite(
    policy, observations, entropy_weight
):
    observations[0, -N:] = 0  # a session's last observation may allow nothing
    observations[1, -N:] = [1, 0, 0, 0, 0]  # only one item is left
    actions = observations[:, -N:].argmax(axis=1)
    advantages = np.linspace(-1, 1, 200, dtype=np.float32)
    old = policy.distribution.log_prob(policy(observations)[0], actions)
    batch = Batch(observations, actions, old, advantages, advantages, None)
    with tf.GradientTape() as tape:
        loss = ppo_loss(clipped_surrogate, 0.5, entropy_weight, policy, batch, 0.2)
    assert np.isfinite(loss).all()
    assert np.isfinite(
        policy.distribution.log_prob(policy(observations)[0], actions)
    ).all()
    gradients = tape.gradient(loss.total, policy.trainable_variables)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_the_entropy_is_that_of_what_is_allowed():
    # Two of five, equally likely: log 2, as if the three others did not exist.
    policy = ActorCritic(Spaces(), (16,), seed=0, masked=True)
    policy.actor.net.layers[-1].kernel.assign(tf.zeros((16, N)))
    seen = np.array([[0.3, 0.1, 0, 1, 0, 0, 1, 0]], dtype=np.float32)
    entropy = policy.distribution.entropy(policy(seen)[0])
    np.testing.assert_allclose(entropy, [np.log(2)], rtol=1e-6)


def test_training_never_asks_what_is_not_allowed():
    # The environment raises if it is. Its last observation allows nothing at all.
    def model(items, answers):
        p = (answers.sum(axis=1) + 1) / (items.shape[1] + 2)
        return np.repeat(p[:, None], 8, axis=1)

    correct = np.random.default_rng(0).integers(2, size=(30, 8))
    envs = AdaptiveTest(correct, model, 16, questions=4)
    policy = ActorCritic(envs, (16,), seed=0, masked=True)
    history = train(policy, envs, updates=3, seed=0, rollout_steps=15)
    assert history.steps == [16 * 12, 16 * 24, 16 * 36]  # resets do not count
    assert np.isfinite(history.entropy).all()
    assert max(history.entropy) < np.log(4)


def test_only_discrete_actions_can_be_masked():
    class Continuous(Spaces):
        single_action_space = gym.spaces.Box(-1, 1, (2,))

    with pytest.raises(ValueError, match="envs: expected Discrete"):
        ActorCritic(Continuous(), seed=0, masked=True)


def test_a_mask_needs_a_number_for_each_action():
    class Narrow(Spaces):
        single_observation_space = gym.spaces.Box(0, 1, (N - 1,), np.float32)

    with pytest.raises(ValueError, match="envs: expected a mask of 5 actions to see"):
        ActorCritic(Narrow(), seed=0, masked=True)
