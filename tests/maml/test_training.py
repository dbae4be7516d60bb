"""meta_train learns, resumes bit for bit, and stops on what is not a number."""

import numpy as np
import pytest
import torch
from torch import nn

from refimpl.maml import (
    LearnedRates,
    evaluate,
    load_tensors,
    meta_train,
    mlp,
    save_tensors,
)
from refimpl.tasks import SinusoidTasks


def draw(rng):
    return SinusoidTasks().sample(5, 4, 4, rng)


def start(seed=0):
    model = mlp(1, 8, 1, activation=nn.Tanh, seed=seed)
    return model, LearnedRates(model, initial=0.05)


def state(model, rates):
    return [p.detach().clone() for p in [*model.parameters(), *rates.parameters()]]


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path):
    model, rates = start()
    scores = iter(range(100))
    whole = meta_train(
        model,
        draw,
        2,
        rates,
        iterations=7,
        seed=3,
        validate=lambda: float(next(scores)),
        validate_every=2,
    )
    expected = state(model, rates)

    path = tmp_path / "run.safetensors"
    scores = iter(range(100))
    for stop in (1, 4, 7):
        model, rates = start(seed=stop)  # all that counts comes from the file
        if stop == 1:
            model, rates = start()
        resumed = meta_train(
            model,
            draw,
            2,
            rates,
            iterations=stop,
            seed=3,
            checkpoint=path,
            validate=lambda: float(next(scores)),
            validate_every=2,
        )
    assert all(map(torch.equal, state(model, rates), expected))
    assert resumed == whole
    assert len(whole.loss) == 7
    assert whole.validation == [(2, 0.0), (4, 1.0), (6, 2.0)]


def test_a_finished_run_is_only_loaded(tmp_path):
    path = tmp_path / "run.safetensors"
    model, _ = start()
    meta_train(model, draw, 1, iterations=3, seed=0, checkpoint=path)
    other, _ = start(seed=9)

    def never(rng):
        raise AssertionError("drew tasks for a finished run")

    meta_train(other, never, 1, iterations=3, seed=0, checkpoint=path)
    assert all(map(torch.equal, model.parameters(), other.parameters()))


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    model, rates = start()
    meta_train(model, draw, 1, iterations=2, seed=0, checkpoint=path)
    with pytest.raises(
        ValueError, match="made with num_steps=1, this run has num_steps=2"
    ):
        meta_train(model, draw, 2, iterations=2, seed=0, checkpoint=path)
    with pytest.raises(ValueError, match="made with fast_lr=0.01"):
        meta_train(model, draw, 1, rates, iterations=2, seed=0, checkpoint=path)
    wider = mlp(1, 9, 1, seed=0)
    with pytest.raises(ValueError, match="this model needs"):
        meta_train(wider, draw, 1, iterations=2, seed=0, checkpoint=path)


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_tensors(path, {"a": torch.ones(2)}, note={"made": "by a test"})
    with pytest.raises(TypeError):
        save_tensors(path, {"a": torch.zeros(2)}, note={"bad": object()})
    tensors, note = load_tensors(path)
    assert torch.equal(tensors["a"], torch.ones(2))
    assert note == {"made": "by a test"}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_loss_that_is_not_finite_names_iteration_and_task():
    model, _ = start()
    calls = []

    def spoiled(rng):
        calls.append(batch := draw(rng))
        if len(calls) == 3:
            batch.query_y[1] = 1e30  # its square is beyond float32
        return batch

    before = []
    with pytest.raises(
        FloatingPointError, match=r"loss inf at iteration 2, .*tasks \[1\]"
    ):
        meta_train(
            model,
            spoiled,
            1,
            iterations=9,
            seed=0,
            validate=lambda: before.append(state(model, nn.Module())) or 0.0,
            validate_every=2,
        )
    assert len(calls) == 3
    assert all(map(torch.equal, state(model, nn.Module()), before[0]))


def test_rates_that_are_learned_are_stepped_and_others_are_not():
    model, rates = start()
    before = rates.log_rates.detach().clone()
    meta_train(model, draw, 2, rates, iterations=3, seed=0)
    assert (rates.log_rates != before).all()

    fixed = {name: torch.tensor(0.05) for name in rates.names}
    meta_train(model, draw, 2, fixed, iterations=3, seed=0)
    assert all(rate.item() == pytest.approx(0.05) for rate in fixed.values())


def test_training_makes_adaptation_better():
    model, rates = start()
    batch = SinusoidTasks().sample(50, 4, 20, np.random.default_rng(99))

    def error():
        params = dict(model.named_parameters())
        return evaluate(model, params, batch, fast_lr=rates(), num_steps=2)[-1].mean()

    before = error()
    meta_train(model, draw, 2, rates, iterations=300, seed=0, meta_lr=0.01)
    assert error() < 0.8 * before


def test_two_runs_are_equal_and_another_seed_is_not():
    losses = []
    for seed in (0, 0, 1):
        model, _ = start()
        losses.append(meta_train(model, draw, 1, iterations=3, seed=seed).loss)
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_tasks_that_are_no_batch_are_refused():
    model, _ = start()
    with pytest.raises(TypeError, match="tasks: expected it to return a TaskBatch"):
        meta_train(model, lambda rng: [1, 2], iterations=1, seed=0)
