"""Generalized advantage estimation, against arrays worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refimpl.ppo import compute_advantages


def column(*numbers, dtype=np.float64):
    return np.array(numbers, dtype)[:, None]


def advantages(rewards, values, next_values, terminated=None, truncated=None, **given):
    no = np.zeros(np.shape(rewards), bool)
    ends = (no if flags is None else flags for flags in (terminated, truncated))
    return compute_advantages(rewards, values, next_values, *ends, **given)


def test_three_steps_by_hand():
    # delta = r + .5 V' - V = 1 + .5*4 - 2, 0 + .5*1 - 4, 2 + .5*6 - 1; fading .5*.4.
    got, returns = advantages(
        column(1, 0, 2), column(2, 4, 1), column(4, 1, 6), gamma=0.5, lambda_=0.4
    )
    # 4; then -3.5 + .2*4; then 1 + .2*-2.7.
    np.testing.assert_allclose(got, column(0.46, -2.7, 4))
    np.testing.assert_allclose(returns, column(2.46, 1.3, 5))


def test_the_papers_discount_and_fading_are_the_defaults():
    got, _ = advantages(column(0, 1), column(0, 0), column(2, 0))
    np.testing.assert_allclose(got, column(0.99 * 2 + 0.99 * 0.95 * 1, 1))


def test_a_single_step_has_no_later_errors():
    got, returns = advantages(column(1), column(2), column(4), gamma=0.5)
    np.testing.assert_allclose(got, column(1 + 0.5 * 4 - 2))
    np.testing.assert_allclose(returns, column(3))


@pytest.mark.parametrize(
    ("terminated", "truncated", "first"),
    [
        # delta_0 = 1 + .5 * 8 - 2 = 3, or 1 - 2 = -1 without a future; delta_1 = 4.
        (False, False, 3 + 0.5 * 4),
        (True, False, -1),
        (False, True, 3),
        (True, True, -1),
    ],
)
def test_the_four_ends_of_a_step(terminated, truncated, first):
    got, _ = advantages(
        column(1, 4),
        column(2, 0),
        column(8, 0),  # not V(s_1) = 0: the reset comes in between
        column(terminated, False, dtype=bool),
        column(truncated, False, dtype=bool),
        gamma=0.5,
        lambda_=1.0,
    )
    np.testing.assert_allclose(got, column(first, 4))


def random_arguments(rng, steps=12, envs=3):
    floats = [rng.normal(size=(steps, envs)) for _ in range(3)]
    return floats + [rng.random((steps, envs)) < 0.2 for _ in range(2)]


@given(st.integers(0, 10**6))
def test_lambda_0_is_the_td_error(seed):
    rewards, values, following, *ends = random_arguments(np.random.default_rng(seed))
    got, _ = compute_advantages(rewards, values, following, *ends, 0.9, 0.0)
    future = np.where(ends[0], 0, following)
    np.testing.assert_allclose(got, rewards + 0.9 * future - values)


@given(st.integers(0, 10**6))
def test_lambda_1_is_the_sum_of_rewards_minus_the_value(seed):
    rewards, values, following, *ends = random_arguments(np.random.default_rng(seed))
    _, returns = compute_advantages(rewards, values, following, *ends, 0.9, 1.0)
    # Within an episode V(s_{t+1}) of one step is V of the next, and cancels out.
    values[1:] = np.where(ends[0][:-1] | ends[1][:-1], values[1:], following[:-1])
    _, returns = compute_advantages(rewards, values, following, *ends, 0.9, 1.0)
    expected = np.where(ends[0][-1], 0, following[-1])
    for t in reversed(range(len(rewards))):
        bootstrap = np.where(ends[1][t], following[t], expected)
        expected = rewards[t] + 0.9 * np.where(ends[0][t], 0, bootstrap)
        np.testing.assert_allclose(returns[t], expected)


@given(st.integers(0, 10**6), st.booleans())
def test_nothing_leaks_from_one_episode_or_environment_to_another(seed, terminates):
    rng = np.random.default_rng(seed)
    rewards, values, following, terminated, truncated = random_arguments(rng)
    (terminated if terminates else truncated)[5, 1] = True
    arguments = (rewards, values, following, terminated, truncated)
    before, _ = compute_advantages(*arguments)
    changed = [np.array(a) for a in arguments]
    for array in changed:
        array[6:, 1] = rng.permutation(array[6:, 1])
    changed[0][6:, 1] += 100
    after, _ = compute_advantages(*changed)
    np.testing.assert_array_equal(after[:6], before[:6])
    np.testing.assert_array_equal(after[:, [0, 2]], before[:, [0, 2]])


def test_single_precision_stays():
    arguments = random_arguments(np.random.default_rng(0))
    single = [a.astype(np.float32) if a.dtype == float else a for a in arguments]
    assert {a.dtype for a in compute_advantages(*single)} == {np.dtype("float32")}


NAMES = ["rewards", "values", "next_values", "terminated", "truncated"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(12,), (12, 1), (12, 4), (12, 3, 1)])
def test_a_wrong_shape_is_named(name, shape):
    arguments = dict(
        zip(NAMES, random_arguments(np.random.default_rng(0)), strict=True)
    )
    arguments[name] = np.zeros(shape)
    with pytest.raises(ValueError, match=r"expected \[T, N\]"):
        compute_advantages(**arguments)


@pytest.mark.parametrize("shape", [(12,), (12, 3, 1)])
def test_arrays_of_one_shape_must_have_two_axes_all_the_same(shape):
    with pytest.raises(ValueError, match=r"^rewards: expected \[T, N\]"):
        compute_advantages(*[np.zeros(shape)] * 5)


@pytest.mark.parametrize("name", NAMES[:3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named(name, value):
    arguments = dict(
        zip(NAMES, random_arguments(np.random.default_rng(0)), strict=True)
    )
    arguments[name][3, 1] = value
    with pytest.raises(ValueError, match=f"^{name}: expected finite"):
        compute_advantages(**arguments)


@pytest.mark.parametrize("name", ["gamma", "lambda_"])
@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_a_discount_that_is_none_is_named(name, value):
    arrays = [np.zeros((2, 1))] * 5
    with pytest.raises(ValueError, match=f"^{name}: expected 0 to 1, got {value}"):
        compute_advantages(*arrays, **{name: value})
