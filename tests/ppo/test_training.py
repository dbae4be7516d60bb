"""train learns what is known exactly, the same again and again, and resumes."""

import json
import math
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from refimpl.envs import TwoStateVectorEnv, state_values
from refimpl.ppo import (
    ActorCritic,
    History,
    adapt_beta,
    approximate_kl,
    clipped_surrogate,
    evaluate,
    penalized_surrogate,
    train,
    training,
)
from refimpl.ppo.checkpoint import load_arrays, save_arrays
from refimpl.ppo.history import linear_schedule
from tests.ppo.worlds import Spoiled, Target, Traces, cart_pole

SMALL = {"updates": 3, "seed": 0, "rollout_steps": 8, "minibatches": 2, "epochs": 2}


def students(num_envs=4, max_steps=5):
    return TwoStateVectorEnv(num_envs, max_steps)


def start(envs=None, seed=0):
    return ActorCritic(envs or students(), (8,), seed=seed)


def state(policy):
    return [v.numpy() for v in policy.variables]


def trained(envs=None, policy=None, **change):
    envs = envs or students()
    policy = policy or start(envs)
    return train(policy, envs, **SMALL | change), state(policy)


@pytest.fixture(scope="module")
def plain():
    """The history and weights of a small run, to compare others with."""
    return trained()


def equal(one, other):
    return one[0] == other[0] and all(map(np.array_equal, one[1], other[1]))


def test_two_runs_are_equal_and_another_seed_is_not(plain):
    assert equal(plain, trained())
    assert not equal(plain, trained(seed=1))


def test_what_a_reset_shows_and_pays_has_no_influence(plain):
    # Were a reset an experience anywhere, in a loss, in the normalization of
    # advantages or in the counts, a reward of 1000 for it would change something.
    def pay(count, resets, step):
        step[1] = np.where(resets, 1000.0, step[1])
        return step

    assert equal(plain, trained(Spoiled(pay)))


def test_steps_count_experience_only(plain):
    history, _ = plain
    resets = []

    def watch(count, reset, step):
        resets.append(reset.sum())
        return step

    trained(Spoiled(watch))
    experience = np.cumsum(4 - np.array(resets))[7::8]
    assert history.steps == experience.tolist()
    assert sum(map(len, history.returns)) > 10


class Watched:
    """What the update function is given, call by call; ``change`` its numbers."""

    def __init__(self, monkeypatch, **change):
        self.rates, self.batches, self.rows = [], [], []
        make = training.improve_for

        def watching(*alike):
            self.function = make(*alike)

            def improve(adam, fixed, batch, rows, numbers):
                self.rates.append(numbers.learning_rate)
                self.batches.append(batch)
                self.rows.append(rows)
                numbers = numbers._replace(**change)
                return self.function(adam, fixed, batch, rows, numbers)

            return improve

        monkeypatch.setattr(training, "improve_for", watching)


def test_inside_an_update(monkeypatch):
    watched = Watched(monkeypatch)
    counting = Traces(clipped_surrogate)
    policy = start()
    before = state(policy)
    batch_of = []
    trained(
        policy=policy,
        surrogate=counting,
        learning_rate=0.1,
        callback=lambda history: batch_of.append(state(policy)),
    )

    # No retracing after the first update.
    assert watched.function.experimental_get_tracing_count() == 1
    assert 0 < counting.count <= 4  # in the loop, and for the report after it

    # Each epoch uses every row once, each in another order.
    assert len(watched.rows) == 3
    for rows in watched.rows:
        assert rows.shape == (4, 16)
        for epoch in rows.reshape(2, 32):
            assert sorted(epoch) == list(range(32))
    assert not np.array_equal(watched.rows[0][:2], watched.rows[0][2:])

    # The learning rate falls linearly; 0 would come after the last update.
    np.testing.assert_allclose(watched.rates, [0.1, 0.1 * 2 / 3, 0.1 / 3], rtol=1e-6)
    assert (linear_schedule(0), linear_schedule(1)) == (1, 0)

    # The stored log-probabilities are those of the executed actions under the
    # weights that acted: for the first minibatch the ratio is 1 and the KL is 0.
    for weights, batch in zip([before, *batch_of], watched.batches, strict=False):
        policy.set_weights(weights)
        logits, _ = policy(batch.observations)
        now = policy.distribution.log_prob(logits, batch.actions)
        np.testing.assert_allclose(now, batch.old_log_prob, atol=1e-6)
        assert approximate_kl(now, batch.old_log_prob).numpy() < 1e-12


def test_policies_that_are_alike_are_compiled_once_and_learn_apart(plain):
    counting = Traces(clipped_surrogate)
    runs = [trained(surrogate=counting) for _ in range(2)]
    first = counting.count
    assert first > 0
    other = trained(surrogate=counting, policy=start(seed=1), learning_rate=0.1)
    assert counting.count == first
    assert equal(*runs)
    assert equal(runs[0], plain)
    assert not equal(runs[0], other)
    wider = ActorCritic(students(), (9,), seed=0)
    trained(surrogate=counting, policy=wider)
    assert counting.count > first


def test_without_learning_the_ratio_stays_1():
    history, _ = trained(learning_rate=0.0)
    assert max(history.kl) < 1e-12
    assert history.clip_fraction == [0, 0, 0]
    assert history.entropy == pytest.approx([math.log(2)] * 3, abs=1e-3)


def test_the_kl_limit_stops_before_the_step(monkeypatch):
    policy = start()
    before = state(policy)
    with monkeypatch.context() as context:
        # Exceeded by 0 already: no step at all.
        Watched(context, max_kl=np.float32(-1))
        trained(policy=policy)
    assert all(map(np.array_equal, state(policy), before))
    trained(policy=policy, max_kl=1e-9, updates=1)  # exceeded after the first step
    assert not all(map(np.array_equal, state(policy), before))


def test_the_kl_limit_bounds_the_kl():
    free, _ = trained(learning_rate=0.05)
    bound, _ = trained(learning_rate=0.05, max_kl=0.001)
    assert max(bound.kl) < max(free.kl)


def test_the_penalty_adapts_to_the_kl():
    history, _ = trained(
        updates=6,
        surrogate=penalized_surrogate,
        strength=1.0,
        adapt=adapt_beta,
        learning_rate=0.02,
    )
    expected = [1.0]
    for kl in history.kl[:-1]:
        expected.append(adapt_beta(expected[-1], kl))
    assert history.strength == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("mistake", [False, True])
def test_the_values_of_the_two_state_world_are_learned(mistake):
    """To 1 %, though every episode is cut off after five steps.

    The tutor keeps choosing at random, because nothing rewards another choice. If
    being cut off counted as the end (the mistake), the values would be far too low.
    """

    def spoil(count, resets, step):
        if mistake:
            step[2:] = step[2] | step[3], step[3] & False
        return step

    envs = Spoiled(spoil, num_envs=128)
    policy = start(envs)
    history = train(
        policy,
        envs,
        updates=100,
        seed=0,
        rollout_steps=32,
        epochs=2,
        minibatches=2,
        learning_rate=0.01,
        gamma=0.9,
        surrogate=lambda log_prob, *others: 0.0 * tf.reduce_mean(log_prob),
        entropy_weight=0.0,
        value_weight=1.0,
        max_grad_norm=10.0,
    )
    assert max(history.kl) < 1e-9
    logits, values = policy(np.eye(2, dtype=np.float32))
    exact = state_values(tf.nn.softmax(logits), gamma=0.9)
    error = np.abs(values / exact - 1).max()
    assert error > 0.1 if mistake else error < 0.01


def test_a_tutor_learns_to_repeat_and_to_go_on():
    envs = students(16, max_steps=20)
    policy = start(envs)
    settings = {"updates": 30, "seed": 0, "rollout_steps": 32, "learning_rate": 0.02}
    history = train(policy, envs, **settings)
    assert policy.actor(np.eye(2)).numpy().argmax(axis=1).tolist() == [0, 1]
    assert history.entropy[-1] < history.entropy[0]
    assert history.explained_variance[-1] > history.explained_variance[0]
    assert history.mean_return() > np.mean(history.returns[0])


def test_real_numbers_are_learned_as_actions():
    envs = Target(16)
    policy = ActorCritic(envs, (8,), seed=0)
    train(policy, envs, updates=40, seed=0, rollout_steps=16, learning_rate=0.02)
    assert evaluate(policy, envs, seed=0).mean() > -0.05
    assert policy.distribution.log_std.numpy() < -0.3


def interrupted(path, after, change, count_in=8):
    """A run whose environment breaks down in the middle of an update."""

    def spoil(count, resets, step):
        if count > after * count_in + 3:
            raise InterruptedError
        return step

    with pytest.raises(InterruptedError):
        trained(Spoiled(spoil), checkpoint=path, checkpoint_every=2, **change)


def unspoiled():
    """What is interrupted, without the interruption."""
    return Spoiled(lambda count, resets, step: step)


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path):
    change = {
        "updates": 7,
        "surrogate": penalized_surrogate,
        "adapt": adapt_beta,
        "learning_rate": 0.02,
    }
    whole = trained(
        unspoiled(), checkpoint=tmp_path / "whole.npz", checkpoint_every=2, **change
    )
    path = tmp_path / "parts.npz"
    interrupted(path, after=5, change=change)  # the last checkpoint is after 4
    assert len(load_arrays(path)[0]["history.kl"]) == 4
    other = start(seed=9)  # all that counts comes from the file
    resumed = trained(unspoiled(), other, checkpoint=path, checkpoint_every=2, **change)
    assert equal(whole, resumed)
    files = [load_arrays(tmp_path / name) for name in ("whole.npz", "parts.npz")]
    assert files[0][1] == files[1][1]
    assert files[0][0].keys() == files[1][0].keys()
    for name, array in files[0][0].items():
        np.testing.assert_array_equal(array, files[1][0][name])

    # A finished run is only loaded.
    interrupting = Spoiled(lambda *step: 1 / 0)
    again = trained(
        interrupting, start(seed=5), checkpoint=path, checkpoint_every=2, **change
    )
    assert equal(whole, again)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The checkpoint of a small run."""
    path = tmp_path_factory.mktemp("runs") / "run.npz"
    trained(checkpoint=path, checkpoint_every=2)
    return path


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """The checkpoint of a small run that was ended before its last update."""
    path = tmp_path_factory.mktemp("runs") / "run.npz"
    trained(checkpoint=path, checkpoint_every=2, callback=lambda h: len(h) == 2)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.1}, "made with learning_rate=0.00025, not 0.1"),
        ({"seed": 1}, "made with seed=0"),
        ({"updates": 2}, "made with updates=3, not 2"),
        ({"surrogate": penalized_surrogate}, "surrogate=clipped_sur.*, not penalized"),
        ({"adapt": adapt_beta}, "adapt=None, not adapt_beta"),
        ({"checkpoint_every": 1}, "made with checkpoint_every=2"),
        ({"policy": ActorCritic(students(), (9,), seed=0)}, "made with policy="),
        ({"envs": students(8)}, "made with envs=4 of .*, not 8 of"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(finished, change, message):
    with pytest.raises(ValueError, match=message):
        trained(**{"checkpoint": finished, "checkpoint_every": 2} | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"updates": 9}, "made with updates=3, not 9"),  # another schedule
        ({"schedule": lambda done: 1.0}, "made with schedule=linear_schedule"),
    ],
)
def test_an_unfinished_run_keeps_its_length_and_schedule(unfinished, change, message):
    with pytest.raises(ValueError, match=message):
        trained(**{"checkpoint": unfinished, "checkpoint_every": 2} | change)


def test_a_finished_run_is_trained_on_with_a_schedule_of_its_own(
    finished, tmp_path, monkeypatch, plain
):
    path = tmp_path / "run.npz"
    shutil.copy(finished, path)
    watched = Watched(monkeypatch)
    settings = {"checkpoint": path, "checkpoint_every": 2, "learning_rate": 2.5e-4}
    longer = trained(policy=start(seed=9), updates=5, **settings)
    assert longer[0].steps[:2] == plain[0].steps[:2]  # then a checkpoint: a reset
    assert len(longer[0]) == 5
    np.testing.assert_allclose(watched.rates, [2.5e-4, 1.25e-4], rtol=1e-6)
    # Now this is the run that is finished.
    again = trained(Spoiled(lambda *step: 1 / 0).env, updates=5, **settings)
    assert equal(longer, again)
    assert len(watched.rates) == 2


def test_a_foreign_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    np.savez(path, a=np.ones(2))
    with pytest.raises(ValueError, match="was not written by save_arrays"):
        trained(checkpoint=path)
    for junk in (b"", b"no arrays at all", b"PK\x03\x04 the start of a zip file"):
        path.write_bytes(junk)
        with pytest.raises(ValueError, match=f"path: {path} was not written by save_a"):
            load_arrays(path)
    with path.open("wb") as file:
        np.save(file, np.ones(2))
    with pytest.raises(ValueError, match="was not written by save_arrays"):
        load_arrays(path)
    save_arrays(path, {"a": np.ones(2)}, note={"made": "by a test"})
    with pytest.raises(ValueError, match="checkpoint: made with"):
        trained(checkpoint=path)


def test_a_missing_folder_is_told_before_training(tmp_path):
    never = Spoiled(lambda *step: 1 / 0)
    with pytest.raises(FileNotFoundError, match="checkpoint: no folder"):
        trained(never, checkpoint=tmp_path / "nowhere" / "run.npz")


def test_numpy_numbers_are_numbers(tmp_path, plain):
    given = {
        "strength": np.float32(0.2),
        "gamma": np.float64(0.99),
        "seed": np.int64(0),
    }
    for _ in range(2):  # the second only loads what the first has saved
        got = trained(checkpoint=tmp_path / "run.npz", **given)
    assert got[0].kl == pytest.approx(plain[0].kl)


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "weights.npz"
    save_arrays(path, {"a": np.ones(2)}, note={"made": "by a test"})
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(path, {"a": np.array([object()])}, note={})
    arrays, note = load_arrays(path)
    assert arrays.keys() == {"a"}
    assert note == {"made": "by a test"}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_callback_can_end_training():
    history, _ = trained(callback=lambda history: len(history.kl) == 2)
    assert len(history.kl) == 2


def test_the_mean_return_is_that_of_the_latest_episodes():
    history = History(returns=[[1.0, 2.0], [], [3.0, 8.0]])
    assert history.mean_return(3) == pytest.approx(13 / 3)
    assert math.isnan(History().mean_return())
    with pytest.raises(ValueError, match="episodes: expected at least 1, got 0"):
        history.mean_return(0)
    json.dumps(vars(history))


def test_bad_input_is_named():
    def spoil(count, resets, step):
        step[1] = step[1] + np.nan
        return step

    with pytest.raises(ValueError, match="envs: expected finite rewards, got NaN"):
        trained(Spoiled(spoil))
    for parts in (5, 32):
        message = f"minibatches: expected to divide 32 into parts .*, got {parts}"
        with pytest.raises(ValueError, match=message):
            trained(minibatches=parts)


def test_weights_that_are_not_finite_stop_training():
    with pytest.raises(FloatingPointError, match="not finite after update=0"):
        trained(learning_rate=float("inf"))


def test_every_cart_pole_step_is_one_experience_or_one_reset():
    envs = cart_pole()
    history, _ = trained(envs, rollout_steps=64)
    ended = [total for update in history.returns for total in update]
    # Each step of CartPole pays 1, so that returns count the steps of episodes.
    assert 0 < sum(ended) <= history.steps[-1] < 3 * 64 * 4


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_another_backend_of_keras_is_refused(backend):
    code = "import sys\ntry: import refimpl.ppo\nexcept ImportError as e: print(e)\n"
    code += "print('torch' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == f"KERAS_BACKEND: expected tensorflow, got {backend}\nFalse\n"
    assert keras.backend.backend() == "tensorflow"


@pytest.mark.parametrize(
    "name", ["rollout_steps", "epochs", "minibatches", "checkpoint_every"]
)
def test_too_small_a_count_is_named(name):
    envs = students(2, max_steps=5)
    with pytest.raises(ValueError, match=f"{name}: expected at least 1, got 0"):
        train(start(envs), envs, updates=1, seed=0, **{name: 0})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("learning_rate", -1.0, "at least 0, got -1.0"),
        ("strength", -0.2, "at least 0, got -0.2"),
        ("max_grad_norm", float("nan"), "at least 0, got nan"),
        ("max_kl", -1.0, "at least 0, got -1.0"),
        ("gamma", 1.5, "0 to 1, got 1.5"),
        ("lambda_", 7, "0 to 1, got 7"),
    ],
)
def test_a_number_out_of_range_is_named(name, value, message):
    with pytest.raises(ValueError, match=f"{name}: expected {message}"):
        trained(**{name: value})
    with pytest.raises(TypeError, match=f"{name}: expected a number, got None"):
        trained(**{name: None})
