"""The surrogates, the KL estimate and the loss, number by number."""

import types

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from refimpl.ppo import (
    adapt_beta,
    approximate_kl,
    clipped_surrogate,
    penalized_surrogate,
)
from refimpl.ppo.objectives import (
    Batch,
    experience,
    make_improve,
    normalize_advantages,
    ppo_loss,
)
from refimpl.ppo.policies import Categorical


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


class Table:
    """A policy without a network: fixed logits and values, one row per step."""

    def __init__(self, logits, values):
        self.logits = tf.Variable(logits, dtype=tf.float32)
        self.state_values = tf.Variable(values, dtype=tf.float32)
        self.trainable_variables = [self.logits, self.state_values]
        space = types.SimpleNamespace(n=len(logits[0]), start=0)
        self.distribution = Categorical(space)

    def __call__(self, observations):
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


def test_the_loss_by_hand():
    policy, batch = table_and_batch()
    loss, log_prob, entropy = ppo_loss(clipped_surrogate, 0.5, 0.01, policy, batch, 0.2)
    logits = policy.logits.numpy().astype(float)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    chosen = p[range(6), batch.actions]
    a = batch.advantages.numpy()
    a = (a - a.mean()) / a.std()
    r = chosen / np.exp(batch.old_log_prob)
    clip = np.minimum(r * a, r.clip(0.8, 1.2) * a).mean()
    squared = ((policy.state_values.numpy() - batch.returns.numpy()) ** 2).mean()
    by_hand = -(p * np.log(p)).sum(axis=1).mean()
    np.testing.assert_allclose(log_prob, np.log(chosen), rtol=1e-5)
    assert entropy.numpy() == pytest.approx(by_hand, rel=1e-5)
    assert loss.numpy() == pytest.approx(
        -(clip - 0.5 * squared + 0.01 * by_hand), rel=1e-5
    )


def test_a_step_on_the_entropy_alone_makes_the_policy_less_certain():
    policy, batch = table_and_batch()
    batch = batch._replace(advantages=tf.zeros(6))
    with tf.GradientTape() as tape:
        loss, _, before = ppo_loss(clipped_surrogate, 0.0, 1.0, policy, batch, 0.2)
    slope = tf.convert_to_tensor(tape.gradient(loss, policy.logits))
    policy.logits.assign_sub(0.1 * slope)
    after = ppo_loss(clipped_surrogate, 0.0, 1.0, policy, batch, 0.2)[2]
    assert after > before


class Descent:
    """variable <- variable - gradient, so that the step is the gradient."""

    def apply(self, gradients, variables):
        for g, v in zip(gradients, variables, strict=True):
            v.assign_sub(tf.convert_to_tensor(g))


def descent(policy, c1=0.0, max_kl=np.inf):
    """An update whose gradient has a norm of at most 0.5."""

    def loss(policy, batch, strength):
        return ppo_loss(clipped_surrogate, c1, 0.01, policy, batch, strength)

    return make_improve(policy, Descent(), loss, 0.5, max_kl)


def test_the_gradient_is_scaled_down_to_the_norm():
    policy, batch = table_and_batch()
    before = [v.numpy() for v in policy.trainable_variables]
    improve = descent(policy, c1=100.0)
    improve(batch, np.arange(6)[None], tf.constant(0.2))
    moved = [
        v.numpy() - b for v, b in zip(policy.trainable_variables, before, strict=True)
    ]
    assert sum((m**2).sum() for m in moved) ** 0.5 == pytest.approx(0.5, rel=1e-5)


def uniform_table_and_batch(ratios):
    """Each of three actions is as likely; the ratios are as given."""
    policy, batch = table_and_batch()
    policy.logits.assign(tf.zeros((6, 3)))
    log_prob = policy.distribution.log_prob(policy.logits, batch.actions)
    return policy, batch._replace(old_log_prob=log_prob - np.log(ratios, dtype="f4"))


def test_what_an_update_reports_by_hand():
    ratios = np.array([0.75, 0.85, 1, 1.15, 1.25, 1.15])  # two are 0.25 away from 1
    policy, batch = uniform_table_and_batch(ratios)
    improve = descent(policy, max_kl=-1.0)  # no step, the report alone
    kl, clipped, entropy = improve(batch, np.arange(6)[None], tf.constant(0.2))
    assert kl.numpy() == pytest.approx((ratios - 1 - np.log(ratios)).mean(), rel=1e-4)
    assert clipped.numpy() == pytest.approx(2 / 6)
    assert entropy.numpy() == pytest.approx(np.log(3))


def test_a_ratio_at_the_edge_is_not_clipped():
    policy, batch = uniform_table_and_batch(np.ones(6))
    improve = descent(policy, max_kl=-1.0)
    assert improve(batch, np.arange(6)[None], tf.constant(0.0))[1].numpy() == 0


def test_the_first_minibatch_beyond_the_limit_is_the_last():
    # The second has not moved at all: skipping the first alone would step on it.
    policy, batch = uniform_table_and_batch([3.0, 3.0, 3.0, 1.0, 1.0, 1.0])
    improve = descent(policy, max_kl=0.1)
    improve(batch, np.arange(6).reshape(2, 3), tf.constant(0.2))
    assert (policy.logits.numpy() == 0).all()


def test_a_kl_at_the_limit_is_within_it():
    policy, batch = uniform_table_and_batch(np.ones(6))
    improve = descent(policy, max_kl=0.0)
    improve(batch, np.arange(6)[None], tf.constant(0.2))
    assert (policy.logits.numpy() != 0).any()


def test_experience_leaves_out_resets_wherever_they_are():
    _, batch = table_and_batch()
    batch = batch._replace(valid=tf.constant([True, False, True, True, False, True]))
    part = experience(batch, tf.constant([4, 3, 1, 0]))
    assert part.observations[:, 0].numpy().tolist() == [3, 0]
    for mine, all_of_it in zip(part, batch, strict=True):
        np.testing.assert_array_equal(mine, tf.gather(all_of_it, [3, 0]))
