"""Crossed random effects, against statsmodels and a world that we know."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from refimpl.baselines import crossed_effects
from refimpl.tasks import TaskBatch


@pytest.fixture(scope="module")
def world():
    """60 students who rated 12 of 20 lecturers each."""
    rng = np.random.default_rng(0)
    v, u = rng.normal(0, 0.6, 20), rng.normal(0, 0.4, 60)
    item = np.stack([rng.permutation(20)[:12] for _ in range(60)])
    y = 3 + v[item] + u[:, None] + rng.normal(0, 1, item.shape)
    x, y = (a[..., None].astype(np.float32) for a in (item, y))
    ones = np.ones(item.shape, np.float32)
    return TaskBatch(x[:, :4], y[:, :4], ones[:, :4], x[:, 4:], y[:, 4:], ones[:, 4:])


def test_variances_and_effects_are_those_of_statsmodels(world):
    """A mixed model with one group and two variance components is the same model."""
    student, x, y = world.observed()
    table = pd.DataFrame({"y": y[:, 0], "s": student, "d": x[:, 0].astype(int)})
    model = MixedLM.from_formula(
        "y ~ 1",
        groups=np.ones(len(table)),
        re_formula="0",
        vc_formula={"d": "0 + C(d)", "s": "0 + C(s)"},
        data=table,
    )
    fit = model.fit(reml=False)
    ours = crossed_effects(world, 20)
    theirs = dict(zip(model.exog_vc.names, fit.vcomp, strict=True))
    assert ours.mean == pytest.approx(fit.fe_params.iloc[0], abs=1e-3)
    assert ours.variances["items"] == pytest.approx(theirs["d"], rel=0.02)
    assert ours.variances["students"] == pytest.approx(theirs["s"], rel=0.02)
    assert ours.variances["noise"] == pytest.approx(fit.scale, rel=0.02)
    effects = next(iter(fit.random_effects.values()))
    lecturers = [effects[f"d[C(d)[{j}]]"] for j in range(20)]
    np.testing.assert_allclose(ours.items, lecturers, atol=0.01)


def test_a_student_is_trusted_by_the_number_of_known_ratings(world):
    ours = crossed_effects(world, 20)
    prediction = ours(world)[..., 0]
    plain = ours.mean + ours.items[world.query_x[..., 0].astype(int)]
    residual = world.support_y - ours.mean - ours.items[world.support_x.astype(int)]
    t2, s2 = ours.variances["students"], ours.variances["noise"]
    trust = 4 * t2 / (4 * t2 + s2)
    own = trust * residual[..., 0].mean(axis=1)
    np.testing.assert_allclose(prediction - plain, own[:, None] + 0 * plain, atol=1e-5)


def test_an_optimum_that_was_not_reached_is_no_fit(world, monkeypatch):
    stopped = SimpleNamespace(success=False, message="too many steps")
    monkeypatch.setattr("scipy.optimize.minimize", lambda *_, **__: stopped)
    with pytest.raises(RuntimeError, match="no convergence, too many steps"):
        crossed_effects(world, 20)
