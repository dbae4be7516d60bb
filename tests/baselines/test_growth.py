"""The baselines are as strong as they should be: by hand, and by known figures."""

from types import SimpleNamespace

import numpy as np
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from refimpl.baselines import (
    direct_regression,
    each_alone,
    hierarchical_polynomial,
    pooled_polynomial,
    trusted_level,
)
from refimpl.tasks import GrowthTasks, TaskBatch, rmse


@pytest.fixture(scope="module")
def children():
    return GrowthTasks()


@pytest.fixture(scope="module")
def train(children):
    return children.all(shots=3, split="train")


@pytest.fixture(scope="module")
def line(train):
    return hierarchical_polynomial(train, degree=1)


def curves(coefficients, x_support, x_query, noise=0.0, seed=0):
    """Tasks that follow polynomials, with ``noise`` on every target."""
    coefficients = np.asarray(coefficients, np.float64)
    rng = np.random.default_rng(seed)
    parts = []
    for x in (x_support, x_query):
        x = np.tile(np.asarray(x, np.float64), (len(coefficients), 1))
        y = np.stack([np.polyval(c, t) for c, t in zip(coefficients, x, strict=True)])
        y += noise * rng.normal(size=y.shape)
        arrays = (x[..., None], y[..., None], np.ones_like(x))
        parts += [array.astype(np.float32) for array in arrays]
    return TaskBatch(*parts)


def test_pooled_is_the_line_through_the_average():
    batch = curves([[1.0, 0.0], [3.0, 2.0]], [0.0, 1.0], [2.0])  # x and 3x + 2
    np.testing.assert_allclose(
        pooled_polynomial(batch)(batch), 5.0, rtol=1e-5
    )  # 2x + 1


def test_each_alone_follows_each_task_exactly():
    batch = curves([[1.0, 0.0], [3.0, 2.0]], [0.0, 1.0], [2.0, 3.0])
    np.testing.assert_allclose(each_alone(batch), batch.query_y, rtol=1e-5)


def test_each_alone_uses_observed_examples_only():
    batch = curves([[1.0, 0.0]], [0.0, 1.0, 2.0], [3.0])
    batch.support_y[0, 2], batch.support_mask[0, 2] = 99, 0
    np.testing.assert_allclose(each_alone(batch), 3.0, rtol=1e-5)


def test_each_alone_refuses_too_few_examples(children):
    with pytest.raises(ValueError, match="at least 2 support examples .*, got 1"):
        each_alone(children.all(1, "test"))


def test_hierarchical_recovers_the_best_linear_prediction():
    # Levels ~ N(2, 1), one slope, noise variance 0.25: from one known value the
    # best guess of a level moves 1 / (1 + 0.25) of the way from 2 toward it.
    rng = np.random.default_rng(0)
    levels = 2 + rng.normal(size=3000)
    batch = curves(levels[:, None], [-1.0, 0.0, 1.0], [0.5], noise=0.5)
    new = curves([[4.0]], [0.0], [0.5])
    prediction = hierarchical_polynomial(batch, degree=0)(new)
    assert prediction.item() == pytest.approx(2 + 2 * 0.8, abs=0.05)


def test_hierarchical_without_support_predicts_the_average_curve(children, train, line):
    prediction = line(children.all(0, "test"))
    batch = children.all(0, "test")
    last_wave = prediction[batch.query_x == 2.5]
    assert np.ptp(last_wave) < 1e-5
    assert last_wave[0] == pytest.approx(pooled_polynomial(train)(batch).max(), abs=0.1)


def test_direct_regression_is_least_squares_on_the_known_scores(children, train):
    batch = children.all(2, "test")
    prediction = direct_regression(train)(batch)
    # By hand, for the tests at year 2.5 of children known at -1.5 and -0.5.
    like = (train.support_x[:, :2, 0] == [-1.5, -0.5]).all(axis=1)
    place = np.nonzero((train.query_x[..., 0] == 2.5) & (train.query_mask == 1))
    later = dict(zip(*(place[0], train.query_y[place][:, 0]), strict=True))
    rows = [i for i in np.nonzero(like)[0] if i in later]
    design = np.column_stack([np.ones(len(rows)), train.support_y[rows, :2, 0]])
    fit = np.linalg.lstsq(design, np.array([later[i] for i in rows]))[0]
    i = int(
        np.argmax((batch.support_x[:, 1, 0] == -0.5) & (batch.query_mask[:, 1] == 1))
    )
    assert batch.query_x[i, 1, 0] == 2.5
    expected = fit[0] + batch.support_y[i, :, 0] @ fit[1:]
    assert prediction[i, 1, 0] == pytest.approx(expected, rel=1e-4)


def test_direct_regression_refuses_inputs_it_never_met(children, train):
    batch = children.all(2, "test")
    batch.query_x[0, 0] = 7
    with pytest.raises(ValueError, match="0 have x = 7.0 after"):
        direct_regression(train)(batch)


def test_direct_regression_refuses_an_unobserved_example(children, train):
    batch = children.all(2, "test")
    batch.support_mask[0, 1] = 0
    with pytest.raises(ValueError, match="each support example to be observed"):
        direct_regression(train)(batch)


# Figures that other code found for the same split and the same models.
@pytest.mark.parametrize(
    ("degree", "two_known", "three_known"),
    [(1, 0.849, 0.774), (2, 0.848, 0.744), (3, 0.821, 0.721)],
)
def test_hierarchical_reaches_known_figures(
    children, train, line, degree, two_known, three_known
):
    predict = line if degree == 1 else hierarchical_polynomial(train, degree)
    for shots, known in ((2, two_known), (3, three_known)):
        batch = children.all(shots, "test")
        assert rmse(predict(batch), batch) == pytest.approx(known, abs=0.001)


def test_simple_baselines_reach_known_figures(children, train):
    pooled = pooled_polynomial(train)
    for shots, alone in ((2, 2.940), (3, 1.380)):
        batch = children.all(shots, "test")
        assert rmse(pooled(batch), batch) == pytest.approx(1.143, abs=0.001)
        assert rmse(each_alone(batch), batch) == pytest.approx(alone, abs=0.001)


def test_baselines_do_not_look_at_the_query_targets(children, train, line):
    batch = children.all(2, "test")
    hidden = TaskBatch(**{**vars(batch), "query_y": np.zeros_like(batch.query_y)})
    direct = direct_regression(train)
    for predict in (pooled_polynomial(train), each_alone, direct, line):
        np.testing.assert_array_equal(predict(batch), predict(hidden))


def test_more_than_one_input_is_refused(train):
    wide = TaskBatch(
        **{
            **vars(train),
            "support_x": np.tile(train.support_x, 2),
            "query_x": np.tile(train.query_x, 2),
        }
    )
    with pytest.raises(ValueError, match="batch: expected one input and one output"):
        pooled_polynomial(wide)


def residual_batch(known, later):
    """Tasks whose line of all is 0 by symmetry: known and later residuals."""
    known, later = np.float32(known), np.float32(later)
    # Mirrored tasks make the pooled line y = 0, whatever the numbers are.
    known = np.concatenate([known, -known])[..., None]
    later = np.concatenate([later, -later])[..., None]
    x = [
        np.broadcast_to(np.arange(start, start + a.shape[1]), a.shape[:2])
        for start, a in ((0, known), (known.shape[1], later))
    ]
    x = [np.float32(a)[..., None] for a in x]
    ones = [np.ones(a.shape[:2], np.float32) for a in (known, later)]
    return TaskBatch(x[0], known, ones[0], x[1], later, ones[1])


def test_trusted_level_by_hand():
    # Known 2, -1, 1 and later 1, -1, 0: w_1 = (2 + 1 + 0) / (4 + 1 + 1) = 0.5.
    train = residual_batch([[2, 2], [-1, 1], [1, 3]], [[1], [-1], [0]])
    predict = trusted_level(train)
    one = residual_batch([[4]], [[0]])
    assert predict(one)[0] == pytest.approx(2.0, abs=1e-6)
    # Two known: means 2, 0, 2 give w_2 = (2 + 0 + 0) / (4 + 0 + 4) = 0.25.
    two = residual_batch([[4, 8]], [[0]])
    assert predict(two)[0] == pytest.approx(1.5, abs=1e-6)


def test_trusted_level_without_known_tests_is_the_line_of_all():
    children = GrowthTasks()
    train, batch = children.all(3, "train"), children.all(0, "test")
    np.testing.assert_array_equal(
        trusted_level(train)(batch), pooled_polynomial(train)(batch)
    )


def test_trusted_level_lies_between_the_line_and_the_single_score():
    children = GrowthTasks()
    batch = children.all(1, "test")
    error = rmse(trusted_level(children.all(3, "train"))(batch), batch)
    assert error == pytest.approx(1.006, abs=0.001)


def test_trusted_level_wants_the_support_of_every_task():
    children = GrowthTasks()
    predict = trusted_level(children.all(1, "train"))
    with pytest.raises(ValueError, match="train: expected 2 support examples"):
        predict(children.all(2, "test"))


def test_a_fit_that_does_not_converge_is_no_fit(monkeypatch):
    unfinished = SimpleNamespace(converged=False)
    monkeypatch.setattr(MixedLM, "fit", lambda *_, **__: unfinished)
    with pytest.raises(RuntimeError, match="no convergence, degree 1"):
        hierarchical_polynomial(curves([[1, 2], [2, 1]], [0, 1], [2]), degree=1)


@pytest.mark.parametrize("baseline", [pooled_polynomial, hierarchical_polynomial])
def test_a_degree_below_0_is_refused(baseline):
    with pytest.raises(ValueError, match="degree: expected at least 0, got -1"):
        baseline(curves([[1, 2], [2, 1]], [0, 1], [2]), degree=-1)


def test_trusted_level_where_the_line_fits_exactly(train):
    flat = train.map(np.zeros_like)
    flat = TaskBatch(
        train.support_x, flat.support_y, train.support_mask,
        train.query_x, flat.query_y, train.query_mask,
    )  # fmt: skip
    assert np.isfinite(trusted_level(flat)(flat)).all()
