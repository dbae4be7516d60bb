"""The waves are those of the paper, and every draw comes from the generator."""

import numpy as np
import pytest

from refimpl.tasks import SinusoidTasks


def draw(seed=0, **changes):
    sizes = {"tasks": 4, "shots": 5, "queries": 6} | changes
    return SinusoidTasks().sample(**sizes, rng=np.random.default_rng(seed))


def test_each_task_is_one_wave_in_the_papers_range():
    batch = draw(tasks=2000)
    x = np.concatenate([batch.support_x, batch.query_x], axis=1)[..., 0]
    y = np.concatenate([batch.support_y, batch.query_y], axis=1)[..., 0]
    # y = a sin x + b cos x with a = A cos(phi), b = -A sin(phi): solve for both.
    basis = np.stack([np.sin(x), np.cos(x)], axis=-1).astype(np.float64)
    a, b = np.stack([np.linalg.lstsq(z, t)[0] for z, t in zip(basis, y, strict=True)]).T
    np.testing.assert_allclose(
        (basis @ np.stack([a, b], -1)[..., None])[..., 0], y, atol=1e-4
    )
    amplitude, phase = np.hypot(a, b), np.arctan2(-b, a)
    assert amplitude.min() > 0.09
    assert 4.9 < amplitude.max() < 5.01
    assert -0.01 < phase.min() < 0.05
    assert 3.1 < phase.max() < 3.15
    assert np.abs(x).max() <= 5


def test_support_and_query_are_different_points():
    batch = draw(tasks=100)
    assert not np.isin(batch.support_x, batch.query_x).any()


def test_the_same_seed_draws_the_same_and_another_does_not():
    np.testing.assert_array_equal(draw(seed=1).query_y, draw(seed=1).query_y)
    assert (draw(seed=1).query_y != draw(seed=2).query_y).any()


def test_no_shots_give_an_empty_support_place():
    batch = draw(shots=0)
    assert batch.support_mask.shape == (4, 1)
    assert batch.support_mask.sum() == 0
    assert batch.support_y.sum() == 0
    assert batch.query_mask.all()


def test_arrays_are_float32():
    assert {array.dtype for array in vars(draw()).values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"tasks": 0}, ValueError, "tasks: expected at least 1, got 0"),
        ({"shots": -1}, ValueError, "shots: expected at least 0"),
        ({"queries": 0}, ValueError, "queries: expected at least 1"),
        ({"shots": 2.5}, TypeError, "shots: expected an integer, got 2.5"),
    ],
)
def test_bad_counts_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        draw(**changes)


def test_a_seed_in_place_of_a_generator_is_refused():
    with pytest.raises(TypeError, match="rng: expected a numpy.random.Generator"):
        SinusoidTasks().sample(1, shots=1, queries=1, rng=0)
