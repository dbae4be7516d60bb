"""The surrogates, the KL estimate and the loss, number by number."""

import types

import gymnasium as gym
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from refimpl.ppo import (
    ActorCritic,
    Policy,
    adapt_beta,
    approximate_kl,
    clipped_surrogate,
    penalized_surrogate,
)
from refimpl.ppo.compiled import Alike
from refimpl.ppo.objectives import Batch, normalize_advantages, ppo_loss
from refimpl.ppo.update import Adam, Learner, Numbers, adam_step, improve_for


def gradient(function, log_prob):
    """Of ``function`` at ``log_prob``."""
    log_prob = tf.Variable(log_prob)
    with tf.GradientTape() as tape:
        value = function(log_prob)
    return value.numpy(), tape.gradient(value, log_prob).numpy()


@pytest.mark.parametrize(
    ("ratio", "advantage", "value", "slope"),
    [
        # d(r A)/d(log pi) = r A where the ratio counts, and 0 where it is clipped.
        (0.5, 2.0, 1.0, 1.0),  # too unlikely already, but good: go back up
        (1.0, 2.0, 2.0, 2.0),
        (1.5, 2.0, 2.4, 0.0),  # likely enough
        (0.5, -2.0, -1.6, 0.0),  # unlikely enough
        (1.0, -2.0, -2.0, -2.0),
        (1.5, -2.0, -3.0, -3.0),  # likelier, but bad: go back down
    ],
)
def test_the_clipped_gradient(ratio, advantage, value, slope):
    got = gradient(
        lambda log_prob: clipped_surrogate(
            log_prob, np.log([0.3]), np.array([advantage])
        ),
        [np.log(0.3 * ratio)],
    )
    np.testing.assert_allclose(got[0], value, rtol=1e-5)
    np.testing.assert_allclose(got[1], [slope], rtol=1e-5)


def test_the_objective_is_the_mean():
    log_prob = np.log([0.5, 1.0, 1.5])
    got = clipped_surrogate(log_prob, np.zeros(3), np.array([2.0, 2.0, -2.0]))
    assert got.numpy() == pytest.approx((1 + 2 - 3) / 3)


@pytest.mark.parametrize("surrogate", [clipped_surrogate, penalized_surrogate])
def test_only_the_new_log_probability_carries_a_gradient(surrogate):
    variables = [tf.Variable([0.1, -0.2]) for _ in range(3)]
    with tf.GradientTape() as tape:
        value = surrogate(*variables)
    own, old, advantages = tape.gradient(value, variables)
    assert own is not None
    assert old is None
    assert advantages is None


def test_the_penalized_gradient():
    # d/d(log pi) of r A - beta (r - 1 - log r) is r A - beta (r - 1).
    value, slope = gradient(
        lambda log_prob: penalized_surrogate(
            log_prob, np.zeros(1), np.array([2.0]), beta=3.0
        ),
        np.log([1.5]),
    )
    assert value == pytest.approx(1.5 * 2 - 3 * (0.5 - np.log(1.5)))
    assert slope[0] == pytest.approx(1.5 * 2 - 3 * 0.5)
    default = penalized_surrogate(np.log([1.5]), np.zeros(1), np.array([2.0]))
    assert default.numpy() == pytest.approx(1.5 * 2 - 1 * (0.5 - np.log(1.5)))


@pytest.mark.parametrize(
    ("kl", "beta"), [(0.0066, 0.5), (0.0067, 1), (0.01, 1), (0.0149, 1), (0.0151, 2)]
)
def test_beta_follows_the_kl(kl, beta):
    assert adapt_beta(1, kl, target=0.01) == beta
    assert adapt_beta(1, kl) == beta


def test_beta_stays_at_both_edges():
    # 1.5 / 1.5 and 1.5 * 1.5 are exact.
    assert adapt_beta(1, 1.0, target=1.5) == adapt_beta(1, 2.25, target=1.5) == 1


@given(st.lists(st.floats(-20, 20), min_size=1), st.floats(-1e-3, 1e-3))
def test_kl_is_never_negative(log_ratios, tiny):
    for scale in (1, tiny):
        log_prob = np.array(log_ratios, np.float32) * np.float32(scale)
        assert approximate_kl(log_prob, np.zeros_like(log_prob)).numpy() >= 0


def test_kl_is_unbiased():
    # The mean of the estimate over the old policy's actions is the divergence.
    old, new = np.array([0.2, 0.5, 0.3]), np.array([0.4, 0.4, 0.2])
    estimates = [
        approximate_kl(np.log([p]), np.log([q])).numpy()
        for p, q in zip(new, old, strict=True)
    ]
    assert old @ estimates == pytest.approx(old @ np.log(old / new))


def test_kl_of_equal_policies_is_exactly_0():
    log_prob = np.log(np.array([0.2, 0.5], np.float32))
    assert approximate_kl(log_prob, log_prob).numpy() == 0


@pytest.mark.parametrize("function", [clipped_surrogate, penalized_surrogate])
@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_a_column_is_no_vector(function, wrong):
    arrays = [np.zeros(4, np.float32) for _ in range(3)]
    arrays[wrong] = arrays[wrong][:, None]
    with pytest.raises(ValueError, match="expected the same shape"):
        function(*arrays)


def test_normalized_advantages():
    got = normalize_advantages(np.array([1.0, 2.0, 3.0, 6.0])).numpy()
    assert got.mean() == pytest.approx(0)
    assert got.std() == pytest.approx(1)
    assert got.argsort().tolist() == [0, 1, 2, 3]


def test_a_spread_as_small_as_the_guard_is_halved():
    # Rounding noise around a constant: 1e-8 / (1e-8 + 1e-8), not 1e-8 / 0.
    got = normalize_advantages(np.array([1e-8, -1e-8])).numpy()
    np.testing.assert_allclose(got, [0.5, -0.5])


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0, 3.0], []])
def test_a_constant_or_a_single_advantage_or_none_stays_finite(values):
    advantages = tf.constant(values, tf.float32)
    np.testing.assert_array_equal(normalize_advantages(advantages), 0 * advantages)
    for surrogate in (clipped_surrogate, penalized_surrogate):
        value, slope = gradient(
            lambda log_prob, surrogate=surrogate: surrogate(
                log_prob, tf.zeros_like(log_prob), normalize_advantages(advantages)
            ),
            tf.zeros_like(advantages),
        )
        assert value == 0
        assert (slope == 0).all()


class Table(Policy):
    """A policy without a network: fixed logits and values, one row per step."""

    def __init__(self, logits, values):
        space = gym.spaces.Discrete(len(logits[0]))
        seen = gym.spaces.Box(0, len(logits), (1,))
        super().__init__(
            types.SimpleNamespace(
                single_observation_space=seen, single_action_space=space
            )
        )
        self.logits = self.add_weight(shape=logits.shape)
        self.state_values = self.add_weight(shape=values.shape)
        self.set_weights([logits, values])
        self.built = True

    def structure(self):
        return f"Table {self.logits.shape}"  # so that all of them are compiled once

    def call(self, observations):
        rows = tf.cast(observations[:, 0], tf.int32)
        return tf.gather(self.logits, rows), tf.gather(self.state_values, rows)


def table_and_batch(steps=6, seed=0):
    rng = np.random.default_rng(seed)
    policy = Table(rng.normal(size=(steps, 3)), rng.normal(size=steps))
    batch = Batch(
        observations=tf.reshape(tf.range(steps, dtype=tf.float32), (-1, 1)),
        actions=tf.constant(rng.integers(3, size=steps)),
        old_log_prob=tf.constant(np.log(rng.uniform(0.2, 0.5, steps)), tf.float32),
        advantages=tf.constant(rng.normal(size=steps), tf.float32),
        returns=tf.constant(rng.normal(size=steps), tf.float32),
        valid=tf.ones(steps, tf.bool),
    )
    return policy, batch


@pytest.mark.parametrize("valid", [None, np.ones(6, bool)])
def test_the_loss_by_hand(valid):
    policy, batch = table_and_batch()
    batch = batch._replace(valid=valid)
    loss = ppo_loss(clipped_surrogate, 0.5, 0.01, policy, batch, 0.4)
    logits = policy.logits.numpy().astype(float)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    chosen = p[range(6), batch.actions]
    a = batch.advantages.numpy()
    a = (a - a.mean()) / a.std()
    r = chosen / np.exp(batch.old_log_prob)
    clip = np.minimum(r * a, r.clip(0.6, 1.4) * a).mean()
    squared = ((policy.state_values.numpy() - batch.returns.numpy()) ** 2).mean()
    by_hand = -(p * np.log(p)).sum(axis=1).mean()
    expected = {
        "total": -(clip - 0.5 * squared + 0.01 * by_hand),
        "kl": (r - 1 - np.log(r)).mean(),
        "clip_fraction": (np.abs(r - 1) > 0.4).mean(),
        "entropy": by_hand,
        "objective": clip,
        "value_loss": squared,
    }
    assert 0 < expected["clip_fraction"] < 1
    for name, value in expected.items():
        assert getattr(loss, name).numpy() == pytest.approx(value, rel=1e-5), name


def loss_and_gradient(surrogate, policy, batch):
    """All fields of the loss, and the gradient of its total as one vector."""
    with tf.GradientTape() as tape:
        loss = ppo_loss(surrogate, 0.5, 0.01, policy, batch, tf.constant(0.1))
    own = [v.value for v in policy.trainable_variables]
    zero = tf.UnconnectedGradients.ZERO
    parts = tape.gradient(loss.total, own, unconnected_gradients=zero)
    return loss, np.concatenate([np.ravel(tf.convert_to_tensor(g)) for g in parts])


def network_and_batch(actions, valid, absurd=0.0):
    """Random data for a network; what is not valid shows and pays ``absurd``."""
    rng, steps = np.random.default_rng(1), len(valid)
    seen = gym.spaces.Box(-1, 1, (3,))
    policy = ActorCritic(
        types.SimpleNamespace(
            single_observation_space=seen, single_action_space=actions
        ),
        (4,),
        seed=0,
    )
    observations = rng.normal(size=(steps, 3)).astype(np.float32)
    output, _ = policy(observations)
    noise = policy.distribution.noise(rng, (steps,))
    chosen = policy.distribution.sampler()(output.numpy(), noise)
    old = policy.distribution.log_prob(output, chosen) + rng.normal(0, 0.2, steps)
    advantages, returns = rng.normal(size=(2, steps)).astype(np.float32)
    for array in (observations, advantages, returns):
        array[~valid] += np.float32(absurd)
    return policy, Batch(observations, chosen, old, advantages, returns, valid)


@pytest.mark.parametrize("absurd", [0.0, 1e30])
@pytest.mark.parametrize("surrogate", [clipped_surrogate, penalized_surrogate])
@pytest.mark.parametrize(
    "actions", [gym.spaces.Discrete(3), gym.spaces.Box(-1, 1, (2,))]
)
def test_what_is_no_experience_enters_nothing(actions, surrogate, absurd):
    valid = np.array([True, False, True, True, False, True, True, False])
    policy, batch = network_and_batch(actions, valid, absurd)
    alone = Batch(*(array[valid] for array in batch))._replace(valid=None)
    masked, without = (
        loss_and_gradient(surrogate, policy, part) for part in (batch, alone)
    )
    for name, one, other in zip(masked[0]._fields, masked[0], without[0], strict=True):
        assert one.numpy() == pytest.approx(other.numpy(), rel=1e-5, abs=1e-7), name
        assert one.numpy() != 0, name
    np.testing.assert_allclose(masked[1], without[1], rtol=1e-4, atol=1e-6)
    assert (masked[1] != 0).any()


@pytest.mark.parametrize("surrogate", [clipped_surrogate, penalized_surrogate])
def test_a_minibatch_without_experience_moves_nothing(surrogate):
    policy, batch = network_and_batch(gym.spaces.Discrete(3), np.zeros(6, bool), 1e30)
    loss, slope = loss_and_gradient(surrogate, policy, batch)
    np.testing.assert_array_equal(loss, np.zeros(6))
    np.testing.assert_array_equal(slope, 0 * slope)


def test_an_update_without_experience_makes_steps_of_length_0():
    policy, batch = table_and_batch()
    before = policy.get_weights()
    batch = batch._replace(valid=tf.zeros(6, tf.bool))
    report, learner = one_step(policy, batch, value_weight=0.5)
    np.testing.assert_array_equal(report, np.zeros(6))
    np.testing.assert_array_equal(learner.adam.mean, np.zeros(6 * 3 + 6))
    assert all(map(np.array_equal, policy.get_weights(), before))
    assert learner.adam.step == 1


def test_advantages_of_what_is_no_experience_are_0_and_shift_no_others():
    valid = np.array([True, False, True, True, True, False])
    advantages = np.array([1.0, 50, 2, 3, 6, np.nan])
    got = normalize_advantages(advantages, valid).numpy()
    alone = normalize_advantages(advantages[valid]).numpy()
    np.testing.assert_allclose(got[valid], alone)
    assert got[~valid].tolist() == [0, 0]


def test_a_step_on_the_entropy_alone_makes_the_policy_less_certain():
    policy, batch = table_and_batch()
    batch = batch._replace(advantages=tf.zeros(6))
    with tf.GradientTape() as tape:
        before = ppo_loss(clipped_surrogate, 0.0, 1.0, policy, batch, 0.2)
    slope = tf.convert_to_tensor(tape.gradient(before.total, policy.logits.value))
    policy.logits.assign_sub(0.1 * slope)
    after = ppo_loss(clipped_surrogate, 0.0, 1.0, policy, batch, 0.2)
    assert after.entropy > before.entropy


def test_a_step_is_that_of_kerass_adam():
    rng = np.random.default_rng(0)
    theirs = keras.Variable(rng.normal(size=50).astype(np.float32))
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-5)
    zeros = tf.zeros(50)
    mine = Adam(tf.constant(theirs.numpy()), zeros, zeros, tf.constant(0.0))
    for t in range(10):
        # From far above epsilon to far below it.
        gradient = (rng.normal(size=50) * 10.0 ** rng.uniform(-7, 1, 50)).astype("f4")
        rate = np.float32(0.01 * (1 - t / 10))
        optimizer.learning_rate = rate
        optimizer.apply([tf.constant(gradient)], [theirs])
        mine = adam_step(mine, tf.constant(gradient), rate)
        np.testing.assert_allclose(mine.weights, theirs.numpy(), rtol=0, atol=1e-6)
    assert mine.step == 10


def one_step(policy, batch, surrogate=clipped_surrogate, rows=None, **change):
    """The report of an update, by default one step on all rows, and the learner."""
    numbers = {"learning_rate": 0.1, "max_grad_norm": 0.5, "max_kl": np.inf}
    numbers |= {"strength": 0.2, "value_weight": 0.0, "entropy_weight": 0.01} | change
    numbers = Numbers.of(*(numbers[name] for name in Numbers._fields))
    learner = Learner(policy)
    improve = improve_for(Alike(policy), surrogate, False)
    rows = np.arange(len(batch.actions))[None] if rows is None else rows
    return learner.learn(improve, batch, rows, numbers), learner


@pytest.mark.parametrize(("most", "norm"), [(0.5, 0.5), (1e6, None)])
def test_the_gradient_is_scaled_down_to_the_norm_if_it_is_longer(most, norm):
    policy, batch = table_and_batch()
    with tf.GradientTape() as tape:
        loss = ppo_loss(clipped_surrogate, 100.0, 0.01, policy, batch, 0.2)
    own = [v.value for v in policy.trainable_variables]
    parts = [np.ravel(tf.convert_to_tensor(g)) for g in tape.gradient(loss.total, own)]
    slope = np.concatenate(parts)
    length = np.linalg.norm(slope)
    assert length > 1
    _, learner = one_step(policy, batch, max_grad_norm=most, value_weight=100.0)
    # Adam's first mean is a tenth of the gradient.
    expected = 0.1 * slope * (norm or length) / length
    np.testing.assert_allclose(learner.adam.mean, expected, rtol=1e-4, atol=1e-6)


def uniform_table_and_batch(ratios):
    """Each of three actions is as likely; the ratios are as given."""
    policy, batch = table_and_batch()
    policy.logits.assign(tf.zeros((6, 3)))
    log_prob = policy.distribution.log_prob(
        policy(batch.observations)[0], batch.actions
    )
    return policy, batch._replace(old_log_prob=log_prob - np.log(ratios, dtype="f4"))


def test_what_an_update_reports_by_hand():
    ratios = np.array([0.75, 0.85, 1, 1.15, 1.25, 1.15])  # two are 0.25 away from 1
    policy, batch = uniform_table_and_batch(ratios)
    before = policy.get_weights()
    report, _ = one_step(policy, batch, max_kl=-1.0)  # no step, the report alone
    assert all(map(np.array_equal, policy.get_weights(), before))
    kl = (ratios - 1 - np.log(ratios)).mean()
    assert report.kl.numpy() == pytest.approx(kl, rel=1e-4)
    assert report.clip_fraction.numpy() == pytest.approx(2 / 6)
    assert report.entropy.numpy() == pytest.approx(np.log(3))


def test_a_ratio_at_the_edge_is_not_clipped():
    policy, batch = uniform_table_and_batch(np.ones(6))
    report, _ = one_step(policy, batch, max_kl=-1.0, strength=0.0)
    assert report.clip_fraction.numpy() == 0


def test_the_first_minibatch_beyond_the_limit_is_the_last():
    # The second has not moved at all: skipping the first alone would step on it.
    policy, batch = uniform_table_and_batch([3.0, 3.0, 3.0, 1.0, 1.0, 1.0])
    one_step(policy, batch, rows=np.arange(6).reshape(2, 3), max_kl=0.1)
    assert (policy.logits.numpy() == 0).all()


def test_a_kl_at_the_limit_is_within_it():
    policy, batch = uniform_table_and_batch(np.ones(6))
    one_step(policy, batch, max_kl=0.0)
    assert (policy.logits.numpy() != 0).any()


def test_a_minibatch_is_made_of_its_own_rows_in_every_array():
    # What counts are rows 3 and 0, twice: 4 and 1 are no experience, 2 and 5 not drawn.
    policy, batch = table_and_batch()
    valid = np.array([True, False, True, True, False, True])
    alone = Batch(*(tf.gather(array, [3, 0]) for array in batch))
    _, slope = loss_and_gradient(clipped_surrogate, policy, alone)
    change = {"strength": 0.1, "value_weight": 0.5, "max_grad_norm": 1e6}
    batch = batch._replace(valid=tf.constant(valid))
    rows = np.array([[4, 3, 1, 0, 3, 0]])
    _, learner = one_step(policy, batch, rows=rows, **change)
    mean = learner.adam.mean.numpy()  # at first a tenth of the gradient
    np.testing.assert_allclose(mean, 0.1 * slope, rtol=1e-5, atol=1e-7)
    moved = (mean[:18].reshape(6, 3) != 0).any(axis=1)
    assert moved.tolist() == [True, False, False, True, False, False]
