"""MAML with PPO: the inner step by hand, tasks in a batch, gradients through it."""

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf
from gymnasium.vector import AutoresetMode

from refimpl.envs import Navigation2D, Tutor
from refimpl.ppo import maml_steps
from refimpl.ppo.episodes import (
    EpisodeCollector,
    Episodes,
    MetaPolicy,
    actor_output,
)
from refimpl.ppo.linear_baseline import discounted, linear_baseline
from refimpl.ppo.maml import evaluate_maml_ppo, inner_step, train_maml_ppo
from tests.ppo.worlds import assert_traced_in_the_first_update_alone


class TwoArms(gym.vector.VectorEnv):
    """A pull of one of two arms; the first pays in half of the tasks."""

    def __init__(self, num_envs, steps=1):
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs, self.steps = num_envs, steps
        self.single_observation_space = gym.spaces.Box(0, 1, (1,), np.float32)
        self.single_action_space = gym.spaces.Discrete(2)

    def draw_tasks(self, rng, tasks):
        pays = rng.permutation(np.arange(tasks) % 2)
        return {"pays": pays.repeat(self.num_envs // tasks)}

    def reset(self, *, seed=None, options=None):
        self.pays, self.t = options["pays"], 0
        return np.ones((self.num_envs, 1), np.float32), {}

    def step(self, actions):
        self.t += 1
        reward = (np.asarray(actions) == self.pays).astype(float)
        over = np.full(self.num_envs, self.t == self.steps)
        over[0] |= self.steps == 9 and self.t == 3
        seen = np.ones((self.num_envs, 1), np.float32)
        return seen, reward, over, np.zeros_like(over), {}


def episodes(policy, weights, observations, actions, advantages):
    output = actor_output(weights, observations)
    log_prob = policy.distribution.log_prob(output, actions)
    return Episodes(observations, actions, log_prob, advantages, np.zeros((1, 1)))


def collected(envs, tasks, seed=0, hidden=(8,)):
    policy = MetaPolicy(envs, hidden, seed=seed)
    rng = np.random.default_rng(seed)
    collector = EpisodeCollector(policy, envs, tasks, 0.99)
    options = envs.draw_tasks(rng, tasks)
    return policy, collector.collect(policy.weights_for(tasks), options, rng)


def test_the_inner_step_by_hand():
    # No hidden layer, a constant observation of 1: the logits are W + b. With both 0,
    # pi is 1/2 each, and grad log pi(a) by logit j is [j = a] - 1/2.
    envs = TwoArms(1)
    policy = MetaPolicy(envs, (), seed=0)
    weights = [tf.zeros((1, 1, 2)), tf.zeros((1, 1, 2))]
    actions = tf.constant([[0, 0, 1, 1]], tf.int64)
    advantages = tf.constant([[3.0, 1.0, -1.0, 1.0]])
    data = episodes(policy, weights, tf.ones((1, 4, 1)), actions, advantages)
    by_hand = np.mean([[1.5, -1.5], [0.5, -0.5], [0.5, -0.5], [-0.5, 0.5]], axis=0)
    W, b = inner_step(policy, weights, data, fast_lr=0.2)
    np.testing.assert_allclose(W[0, 0], 0.2 * by_hand, rtol=1e-6)
    np.testing.assert_allclose(b[0, 0], 0.2 * by_hand, rtol=1e-6)


def test_a_gaussian_inner_step_by_hand():
    # log pi = -(a - m)^2 / 2 + constants, and its derivative by m is a - m.
    envs = Navigation2D(1, horizon=2, tolerance=0)
    policy = MetaPolicy(envs, (), seed=0)
    weights = [tf.zeros((1, 2, 2)), tf.zeros((1, 1, 2))]
    seen, actions = (
        tf.constant([[[1.0, 0], [0, 2]]]),
        tf.constant([[[1.0, 3], [-2, 0]]]),
    )
    data = episodes(policy, weights, seen, actions, tf.constant([[2.0, -1.0]]))
    W, b = inner_step(policy, weights, data, fast_lr=0.1)
    np.testing.assert_allclose(b[0, 0], 0.05 * np.array([2 + 2, 6 - 0]), rtol=1e-6)
    np.testing.assert_allclose(W[0], 0.05 * np.array([[2.0, 6], [4, 0]]), rtol=1e-6)


@pytest.mark.parametrize("envs", [Navigation2D(12, 5, 0.0), Tutor(12, 5)])
def test_batched_tasks_equal_a_loop_over_tasks(envs):
    policy, data = collected(envs, tasks=3)
    together = inner_step(policy, policy.weights_for(3), data, 50.0)
    for i in range(3):
        own = Episodes(*(part[i : i + 1] for part in data))
        alone = inner_step(policy, policy.weights_for(1), own, 50.0)
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[i], other[0], rtol=1e-5, atol=1e-7)
    assert np.abs(together[0][0] - together[0][1]).max() > 1e-4


def outer_gradient(policy, data, first_order):
    """Of the mean of the adapted actor's output, with respect to the weights."""
    with tf.GradientTape() as tape:
        weights = policy.weights_for(len(data.observations))
        weights = inner_step(policy, weights, data, 0.7, first_order)
        output = actor_output(weights, data.observations)
        value = tf.reduce_mean(output * [1.0, 3.0])
    return value, tape.gradient(value, policy.actor.trainable_weights)


def test_the_gradient_goes_through_the_step_and_first_order_does_not():
    policy, data = collected(Navigation2D(6, 5, 0.0), tasks=2)
    value, gradients = outer_gradient(policy, data, first_order=False)
    shift = 1e-2
    for weight, gradient in zip(policy.actor.trainable_weights, gradients, strict=True):
        direction = np.random.default_rng(0).normal(size=weight.shape)
        start, ends = weight.numpy(), []
        for sign in (-1, 1):
            weight.assign(start + sign * shift * direction)
            ends.append(float(outer_gradient(policy, data, False)[0]))
        weight.assign(start)
        slope = (ends[1] - ends[0]) / (2 * shift)
        assert slope == pytest.approx(
            float((gradient * direction).numpy().sum()), rel=2e-2, abs=2e-4
        )
    same, first = outer_gradient(policy, data, first_order=True)
    assert same == value  # another gradient of the same function
    gap = max(np.abs(a - b).max() for a, b in zip(first, gradients, strict=True))
    assert gap > 1e-3
    # As if the step were a constant that is added.
    step = [
        w - s
        for w, s in zip(
            inner_step(policy, policy.weights_for(2), data, 0.7),
            policy.weights_for(2),
            strict=True,
        )
    ]
    with tf.GradientTape() as tape:
        weights = [w + s for w, s in zip(policy.weights_for(2), step, strict=True)]
        moved = tf.reduce_mean(actor_output(weights, data.observations) * [1.0, 3.0])
    for one, other in zip(
        first, tape.gradient(moved, policy.actor.trainable_weights), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_episodes_hold_what_happened():
    envs = TwoArms(12, steps=3)
    _, data = collected(envs, tasks=2)
    assert data.observations.shape == (2, 18, 1)
    assert data.actions.shape == data.log_prob.shape == data.advantages.shape == (2, 18)
    assert data.returns.shape == (2, 6)
    pays = envs.pays.reshape(2, 6)[:, :, None]
    right = data.actions.numpy().reshape(2, 6, 3) == pays
    np.testing.assert_array_equal(data.returns, right.sum(axis=2))
    np.testing.assert_allclose(data.log_prob, np.log(0.5), atol=0.05)
    # The advantages are what the baseline leaves, in the reward's own units.
    np.testing.assert_allclose(np.mean(data.advantages, axis=1), 0, atol=1e-4)
    to_come = discounted(right, 0.99)
    seen = np.ones((2, 6, 3, 1))
    left = (to_come - linear_baseline(seen, to_come)).reshape(2, 18)
    np.testing.assert_allclose(data.advantages, left, atol=1e-6)
    assert 0.2 < np.std(data.advantages) < 1


def test_what_follows_is_discounted():
    rewards = np.array([[1.0, 0, 2], [0, 0, 4]])
    np.testing.assert_allclose(discounted(rewards, 0.5), [[1.5, 1, 2], [1, 2, 4]])


def test_the_baseline_finds_what_is_linear_in_its_features():
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(2, 5, 20, 3))
    t = np.arange(20) / 100
    slopes = np.array([[1.0, -2, 3], [0, 1, 1]])
    returns = np.einsum("mntd,md->mnt", seen, slopes) + 2 - 3 * t**2 + seen[..., 0] ** 2
    np.testing.assert_allclose(linear_baseline(seen, returns), returns, atol=1e-2)
    noise = rng.normal(size=returns.shape)
    left = noise - linear_baseline(seen, noise)
    assert 0.8 < left.var() < 1.0


def test_it_learns_to_be_one_step_from_either_arm():
    # Before the step nothing tells the arms apart: whoever prefers one is wrong in half
    # of the tasks. After it the task is known; without a meta there is no way there.
    scores = {}
    for steps in (0, 1):
        envs = TwoArms(160)
        policy = MetaPolicy(envs, (8,), seed=0)
        settings = {"tasks": 8, "updates": 60, "seed": 0, "meta_lr": 1e-2}
        train_maml_ppo(policy, envs, num_steps=steps, fast_lr=0.5, **settings)
        found = evaluate_maml_ppo(policy, envs, tasks=8, fast_lr=[0.5], seed=1)
        scores[steps] = found.mean(axis=(1, 2))
    assert scores[1][0] == pytest.approx(0.5, abs=0.1)
    assert scores[1][1] > 0.95
    assert scores[0][1] < 0.8


def trained(updates=3, seed=0, **changed):
    envs = Navigation2D(8, 6, 0.0)
    policy = MetaPolicy(envs, (8,), seed=seed)
    history = train_maml_ppo(
        policy, envs, tasks=2, updates=updates, seed=seed, **changed
    )
    return policy, np.array(history)


def test_two_runs_agree_exactly_and_another_seed_does_not():
    one, other, third = trained(), trained(), trained(seed=1)
    np.testing.assert_array_equal(one[1], other[1])
    for a, b in zip(one[0].variables, other[0].variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one[1] != third[1]).any()


def test_a_callback_can_end_the_training():
    _, history = trained(updates=3, callback=lambda history: len(history) == 2)
    assert history.shape == (2, 2)  # two updates; before and after one inner step


def test_an_evaluation_changes_nothing_and_is_repeatable():
    policy, _ = trained()
    before = [w.numpy() for w in policy.variables]
    options = {"tasks": 2, "fast_lr": [0.1, 0.05], "seed": 3}
    envs = Navigation2D(8, 6, 0.0)
    one, other = (evaluate_maml_ppo(policy, envs, **options) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (3, 2, 4)
    # Those who act by their mean learn from the same drawn episodes.
    quiet = evaluate_maml_ppo(policy, envs, **options, greedy=True)
    assert quiet.shape == one.shape
    assert (quiet[0].std(axis=1) < 1e-6).all()  # no luck left: all start alike
    assert (one[0].std(axis=1) > 1e-3).all()
    for a, b in zip(before, policy.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_nothing_is_traced_again_after_the_first_update(monkeypatch):
    assert_traced_in_the_first_update_alone(
        monkeypatch, maml_steps, "clipped_surrogate", lambda n: trained(updates=n)
    )


def test_told_rewards_reach_the_outer_loop_only(monkeypatch):
    # A tutor's student is paid at the end; what is told comes step by step.
    envs = Tutor(12, 5)
    policy = MetaPolicy(envs, (8,), seed=0)
    collector = EpisodeCollector(policy, envs, 3, 0.99)
    options = envs.draw_tasks(np.random.default_rng(0), 3)
    own, told = (
        collector.collect(
            policy.weights_for(3), options, np.random.default_rng(1), told
        )
        for told in (False, True)
    )
    np.testing.assert_array_equal(own.actions, told.actions)
    np.testing.assert_array_equal(own.returns, told.returns)
    assert (own.advantages != told.advantages).numpy().any()
    # An update collects to adapt, as with a new student, then for the outer loop.
    asked = []
    monkeypatch.setattr(
        EpisodeCollector,
        "collect",
        lambda *a, real=EpisodeCollector.collect, **k: (
            asked.append(k.get("told", False)),
            real(*a, **k),
        )[1],
    )
    train_maml_ppo(policy, envs, tasks=3, updates=2, seed=0)
    assert asked == [False, True] * 2


def test_bad_input_is_named():
    envs = TwoArms(6)
    policy = MetaPolicy(envs, (4,), seed=0)
    with pytest.raises(ValueError, match="tasks: expected to divide 6"):
        train_maml_ppo(policy, envs, tasks=4, updates=1, seed=0)
    with pytest.raises(ValueError, match="tasks: expected at least 1, got 0"):
        train_maml_ppo(policy, envs, tasks=0, updates=1, seed=0)
    for name in ("fast_lr", "meta_lr", "epsilon", "gamma"):
        with pytest.raises(ValueError, match=f"{name}: expected .*, got -1"):
            train_maml_ppo(policy, envs, tasks=2, updates=1, seed=0, **{name: -1})
    with pytest.raises(ValueError, match="fast_lr: expected one rate for each step, g"):
        evaluate_maml_ppo(policy, envs, tasks=2, fast_lr=0.1, seed=0)
    envs = TwoArms(6, steps=9)
    with pytest.raises(ValueError, match="envs: expected all episodes to end"):
        train_maml_ppo(policy, envs, tasks=2, updates=1, seed=0)


def test_a_policy_that_breaks_stops_the_training():
    with pytest.raises(FloatingPointError, match="not finite"):
        trained(updates=3, meta_lr=float("inf"))


@pytest.mark.parametrize(("name", "least"), [("num_steps", 0), ("epochs", 1)])
def test_too_small_a_count_is_named(name, least):
    envs = TwoArms(4)
    policy = MetaPolicy(envs, (4,), seed=0)
    message = f"{name}: expected at least {least}, got {least - 1}"
    with pytest.raises(ValueError, match=message):
        train_maml_ppo(policy, envs, tasks=2, updates=1, seed=0, **{name: least - 1})


def test_a_last_step_that_destroys_the_policy_is_noticed():
    envs = TwoArms(4)
    policy = MetaPolicy(envs, (4,), seed=0)
    with pytest.raises(FloatingPointError, match="not finite after update=0"):
        train_maml_ppo(
            policy, envs, tasks=2, updates=1, epochs=1, meta_lr=np.inf, seed=0
        )
