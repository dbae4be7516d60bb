"""What other libraries answered is what refimpl answers; the table is whole."""

import datetime

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import tools
from benchmarks.results_file import RESULTS
from refimpl.baselines import Posterior
from refimpl.envs.knowledge import Rates, right_chance, trace
from refimpl.maml import meta_loss, mlp
from refimpl.ppo import approximate_kl, clipped_surrogate, compute_advantages
from refimpl.tasks import TaskBatch


@pytest.fixture(scope="module")
def peers():
    with np.load(RESULTS / "peers.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(RESULTS / "tools.csv", comment="#", keep_default_na=False)


def test_the_stored_input_is_what_the_seed_draws(peers):
    given = tools.the_input()
    stored = {n[6:] for n in peers if n.startswith("input.")}
    assert stored == given.keys()
    for name, array in given.items():
        np.testing.assert_allclose(peers[f"input.{name}"], array, rtol=1e-6)


def test_the_table_has_every_tool_once_and_says_why(table):
    assert table["tool"].tolist() == [*tools.OFFERS]
    for row in table.itertuples():
        released, tried = map(datetime.date.fromisoformat, (row.released, row.tried))
        assert released <= tried
        assert (row.why == "") == (row.runs == "yes"), row
        assert row.installs == "yes" or row.runs == "no"


def test_who_answered_runs(peers, table):
    answered = {n.split(".")[0] for n in peers} - {"input"}
    runs = {*table.loc[table["runs"] == "yes", "tool"]}
    # One file of learn2learn runs; pyBKT does with older packages.
    assert answered - {"learn2learn", *tools.OLDER} <= runs
    assert len(answered) >= 8


@pytest.mark.parametrize("tool", ["learn2learn", "torchopt", "higher"])
@pytest.mark.parametrize("steps", [1, 3])
def test_meta_gradients(peers, tool, steps):
    data = (peers[f"input.{n}"] for n in ("support_x", "support_y"))
    query = (peers[f"input.{n}"] for n in ("query_x", "query_y"))
    full = np.ones((5, 5), np.float32)
    batch = TaskBatch(*data, full, *query, full)
    model = mlp(1, 40, 40, 1, seed=0)
    params = {
        n: torch.tensor(peers[f"input.weights.{n}"]).requires_grad_()
        for n, _ in model.named_parameters()
    }
    loss = meta_loss(model, params, batch, fast_lr=0.01, num_steps=steps)
    ours = torch.autograd.grad(loss, [*params.values()])
    for name, gradient in zip(params, ours, strict=True):
        theirs = peers[f"{tool}.{steps}.{name}"]
        np.testing.assert_allclose(theirs, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "tool", ["stable-baselines3", "tf-agents", "torchrl", "rlax", "tianshou"]
)
def test_advantages(peers, tool):
    values, ends = peers["input.values"], peers["input.terminated"]
    ours, _ = compute_advantages(
        peers["input.rewards"], values[:-1], values[1:], ends, ends & False
    )
    np.testing.assert_allclose(peers[f"{tool}.advantages"], ours, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tool", ["torchrl", "rlax"])
def test_clipped_objective(peers, tool):
    logits, actions = peers["input.logits"], peers["input.actions"]
    now = torch.log_softmax(torch.tensor(logits), 1)[range(64), actions].numpy()
    ours = clipped_surrogate(
        now, peers["input.old_log_prob"], peers["input.advantages"], epsilon=0.2
    )
    assert -float(ours) == pytest.approx(float(peers[f"{tool}.policy_loss"]), rel=1e-4)


def test_losses_of_stable_baselines3(peers):
    sb3 = {n.split(".")[1]: a for n, a in peers.items() if n.startswith("stable")}
    pair = sb3["log_prob"], sb3["old_log_prob"]
    ours = clipped_surrogate(*pair, sb3["loss_advantages"], epsilon=0.2)
    assert -float(ours) == pytest.approx(float(sb3["policy_loss"]), rel=1e-4)
    kl = float(approximate_kl(*pair))
    assert kl == pytest.approx(float(sb3["approx_kl"]), rel=1e-4)
    outside = np.abs(np.exp(pair[0] - pair[1]) - 1) > 0.2
    assert outside.mean() == pytest.approx(float(sb3["clip_fraction"]))
    assert 0 < outside.mean() < 1  # so the comparison sees both sides of the clip


def test_items_of_catsim(peers):
    a, b, c = (peers[f"input.{n}"] for n in ("slopes", "difficulties", "guessing"))
    ours = Posterior(slopes=a, easiness=-a * b, guessing=c)
    theta = peers["input.abilities"]
    for name, found in (
        ("probabilities", ours.probabilities(theta)),
        ("information", ours.information(theta)),
    ):
        np.testing.assert_allclose(peers[f"catsim.{name}"], found, rtol=1e-6)


def test_abilities_of_girth(peers):
    """Both average over the posterior, on grids of their own."""
    a, b, c = (peers[f"input.{n}"] for n in ("slopes", "difficulties", "guessing"))
    ours = Posterior(slopes=a, easiness=-a * b, guessing=c)
    answers = peers["girth.given_answers"].T
    found = ours.mean(np.tile(np.arange(20), (5, 1)), answers)
    np.testing.assert_allclose(found, peers["girth.abilities"], atol=1e-4)


def test_knowledge_tracing_of_pybkt(peers):
    prior, learn, guess, slip = peers["input.bkt_rates"]
    rates, known = Rates(prior, learn, 0.0, guess, slip), np.full((1, 5), prior)
    for right, theirs in zip(peers["input.right"], peers["pyBKT.right"], strict=True):
        assert right_chance(known[0, 0], rates) == pytest.approx(theirs, abs=1e-5)
        known = trace(known, np.array([0]), np.array([right]), rates)


def test_a_tool_for_another_python_and_one_that_fails(tmp_path, monkeypatch):
    given = tmp_path / "given.npz"
    np.savez(given, **tools.the_input())
    release = ("1.0", "2020-01-01", "<3.9")
    monkeypatch.setattr(tools, "newest_release", lambda tool: release)
    row = tools.try_tool("no-such-tool", given, tmp_path / "out.npz")
    assert row["installs"] == "no"
    assert row["why"] == "asks for Python <3.9"
    monkeypatch.setattr(tools, "newest_release", lambda tool: (*release[:2], ""))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    row = tools.try_tool("no-such-tool", given, tmp_path / "out.npz")
    assert row["installs"] == "no"
    assert "no-such-tool" in row["why"]
    assert str(tmp_path) not in row["why"]


def test_a_tool_that_the_index_does_not_have(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://localhost:9/")
    assert tools.package_index() == "http://localhost:9"
    row = tools.try_tool("no-such-tool", tmp_path, tmp_path / "out.npz")
    assert row["why"] == "ConnectionError: not found on the index"


def test_the_line_of_an_error_that_says_most():
    done = tools.run("python3", "-c", "raise ValueError('no /usr/lib/x.so')")
    assert tools.last_line(done) == "ValueError: no …"
    conflict = "x 1.0 depends on torch<1.10\nERROR: ResolutionImpossible"
    done = tools.run("python3", "-c", f"raise SystemExit({conflict!r})")
    assert tools.last_line(done) == "x 1.0 depends on torch<1.10"


def test_what_a_tool_started_ends_with_it():
    child = "import time; time.sleep(60)"
    starts = f"import subprocess; subprocess.run(['python3', '-c', {child!r}])"
    done = tools.run("python3", "-c", starts, seconds=1)  # and not after 60
    assert done.returncode != 0
    assert done.stderr == "no end after 1 s"


def test_the_others_stay(tmp_path, monkeypatch):
    names = iter("ab")

    def answer(tool, given, out):
        np.savez(out, **{next(names): np.ones(1)})
        return dict.fromkeys(tools.COLUMNS, "") | {"tool": tool}

    monkeypatch.setattr(tools, "try_tool", answer)
    tools.main(["catsim"], tmp_path)
    tools.main(["girth"], tmp_path)
    table = pd.read_csv(tmp_path / "tools.csv", comment="#")
    assert table["tool"].tolist() == ["girth", "catsim"]
    with np.load(tmp_path / "peers.npz") as file:
        found = {n for n in file if not n.startswith("input")}
    assert found == {"catsim.a", "girth.b"}
