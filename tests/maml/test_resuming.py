"""What a checkpoint is taken for, what it holds, and where training ends early."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from refimpl.maml import (
    KeepBest,
    LearnedRates,
    load_tensors,
    load_trained,
    meta_loss,
    meta_train,
    mlp,
    mse,
    save_tensors,
)
from refimpl.tasks import SinusoidTasks

SGD = partial(torch.optim.SGD, momentum=0.9)


def draw(rng):
    return SinusoidTasks().sample(5, 4, 4, rng)


def start(seed=0):
    return mlp(1, 8, 1, activation=nn.Tanh, seed=seed)


def scaled_loss(scale):
    def loss(prediction, target, mask):
        return scale * mse(prediction, target, mask)

    return loss


def others(rng):
    return draw(rng).map(lambda array: array[[1, 1, 1, 1, 1]])


class Scaled(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.net, self.scale = start(), scale

    def forward(self, x):
        return self.scale * self.net(x)


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        ({"loss_fn": scaled_loss(1.0)}, {"loss_fn": scaled_loss(9.0)}, "other loss_fn"),
        ({}, {"tasks": others}, "other tasks"),
        ({"model": Scaled(1.0)}, {"model": Scaled(2.0)}, "the model's forward"),
        ({}, {"optimizer": SGD}, "made with optimizer="),
        ({}, {"max_grad_norm": 1}, "made with max_grad_norm=None"),
    ],
)
@pytest.mark.parametrize("iterations", [2, 4])
def test_another_run_is_told_by_what_it_computes(
    tmp_path, first, then, message, iterations
):
    path = tmp_path / "run.safetensors"
    run = {"tasks": draw, "num_steps": 1, "seed": 0, "checkpoint": path}
    meta_train(**{"model": start(), "iterations": 2} | run | first)
    model = then.get("model", start(seed=1))
    before = [p.detach().clone() for p in model.parameters()]
    other = run | first | then | {"model": model, "iterations": iterations}
    with pytest.raises(ValueError, match=f"checkpoint: .*{message}"):
        meta_train(**other)
    assert all(map(torch.equal, model.parameters(), before))


def test_after_freezing_a_layer_no_moment_goes_to_another_tensor(tmp_path):
    path = tmp_path / "run.safetensors"
    run = {"tasks": draw, "seed": 0, "checkpoint": path}
    meta_train(start(), iterations=2, **run)
    names = load_tensors(path)[0]
    assert {"optimizer.exp_avg.model.0.weight", "model.0.weight"} <= names.keys()
    frozen = start()
    frozen[0].weight.requires_grad_(False)
    with pytest.raises(ValueError, match="made with trained="):
        meta_train(frozen, iterations=4, **run)


@pytest.mark.parametrize("optimizer", [SGD, torch.optim.AdamW, torch.optim.SGD])
def test_any_optimizer_and_schedule_resume_bit_for_bit(tmp_path, optimizer):
    path = tmp_path / "run.safetensors"
    run = {
        "tasks": draw,
        "num_steps": 2,
        "meta_lr": lambda iteration: 0.01 / (1 + iteration),
        "optimizer": optimizer,
        "max_grad_norm": 0.5,
        "seed": 0,
    }
    whole, parts = start(), start()
    meta_train(whole, iterations=5, **run)
    for iterations in (2, 5):
        meta_train(parts, iterations=iterations, checkpoint=path, **run)
    assert all(map(torch.equal, whole.parameters(), parts.parameters()))


def test_the_outer_step_is_the_optimizers_with_the_scheduled_rate_and_clipping():
    model, trained = start(), start()
    meta_train(
        trained,
        draw,
        iterations=2,
        seed=4,
        meta_lr=lambda iteration: (0.1, 0.01)[iteration],
        optimizer=SGD,
        max_grad_norm=0.2,
    )
    optimizer = SGD(model.parameters(), lr=0.1)
    for iteration in range(2):
        optimizer.param_groups[0]["lr"] = (0.1, 0.01)[iteration]
        optimizer.zero_grad()
        batch = draw(np.random.default_rng([4, iteration]))
        meta_loss(model, dict(model.named_parameters()), batch, num_steps=5).backward()
        assert nn.utils.clip_grad_norm_(model.parameters(), 0.2) > 0.2
        optimizer.step()
    for own, other in zip(model.parameters(), trained.parameters(), strict=True):
        torch.testing.assert_close(own, other)


def test_another_meta_lr_is_taken_and_said(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    run = {"tasks": draw, "optimizer": torch.optim.SGD, "seed": 0, "checkpoint": path}
    model = start()
    meta_train(model, iterations=2, meta_lr=0.1, **run)
    meta_train(model, iterations=3, meta_lr=0.1, **run)
    assert capsys.readouterr().out == ""
    before = [p.detach().clone() for p in model.parameters()]
    meta_train(model, iterations=4, meta_lr=0.0, **run)
    assert "goes on with meta_lr 0.0" in (said := capsys.readouterr().out)
    assert said.endswith("had 0.1\n")
    assert all(map(torch.equal, model.parameters(), before))


class Learned(nn.Module):
    """A loss with a parameter, which nobody would train."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, prediction, target, mask):
        return self.scale * mse(prediction, target, mask)


def test_what_would_not_be_trained_is_refused():
    with pytest.raises(ValueError, match="loss_fn: its parameters would not be"):
        meta_train(start(), draw, iterations=1, seed=0, loss_fn=Learned())
    fixed = Learned().requires_grad_(False)
    meta_train(start(), draw, iterations=1, seed=0, loss_fn=fixed)


def test_an_optimizer_that_keeps_what_is_no_tensor_cannot_be_saved(tmp_path):
    class Odd(torch.optim.SGD):
        def step(self):
            super().step()
            for p in self.param_groups[0]["params"]:
                self.state[p]["name"] = "odd"

    run = {"iterations": 1, "seed": 0, "optimizer": Odd}
    meta_train(start(), draw, **run)
    with pytest.raises(TypeError, match="optimizer: expected tensors to save"):
        meta_train(start(), draw, checkpoint=tmp_path / "run.safetensors", **run)


def test_a_trained_model_is_loaded_without_training(tmp_path):
    path = tmp_path / "run.safetensors"
    model = start()
    rates = LearnedRates(model, 0.1)
    meta_train(model, draw, 1, rates, iterations=2, seed=0, checkpoint=path)
    other = start(seed=1)
    others = LearnedRates(other, 0.2)
    load_trained(path, model=other, fast_lr=others)
    for own, loaded in ((model, other), (rates, others)):
        assert all(map(torch.equal, own.parameters(), loaded.parameters()))
    with pytest.raises(ValueError, match="path: .* parameters of another model"):
        load_trained(path, model=mlp(1, 9, 1, seed=0), fast_lr=others)
    with pytest.raises(ValueError, match="path: .* parameters of another model"):
        load_trained(path, model=other)  # without its rates
    save_tensors(path, model.state_dict(), {})
    other.load_state_dict(load_tensors(path)[0])


def scores_of(scores, path, patience, model, **run):
    """A run with these validation scores; what validation saw, and its history."""
    seen, told = [], iter(scores)

    def validate():
        seen.append([p.detach().clone() for p in model.parameters()])
        return next(told)

    keep = KeepBest(path, patience, model=model)
    history = meta_train(
        model, draw, 1, validate=validate, validate_every=2, callback=keep, **run
    )
    return seen, history


@pytest.mark.parametrize(
    ("scores", "patience", "best", "ends"),
    [
        ([3.0, 2.0, 2.5, 2.0, 1.0], 2, 1, 8),  # a tie is no better
        ([3.0, 2.0, 2.5, 1.0, 1.5], 2, 3, 10),
        ([3.0, 2.0, 2.5, 2.0, 1.0], None, 4, 10),
    ],
)
def test_training_ends_when_validation_gets_no_better(
    tmp_path, scores, patience, best, ends
):
    path, model = tmp_path / "best.safetensors", start()
    run = {"iterations": 10, "seed": 0}
    seen, history = scores_of(scores, path, patience, model, **run)
    assert len(history.loss) == ends
    assert history.validation == [(2 * i + 2, scores[i]) for i in range(ends // 2)]
    kept = start(seed=1)
    load_trained(path, model=kept)
    assert all(map(torch.equal, kept.parameters(), seen[best]))
    assert load_tensors(path)[1] == {"score": scores[best], "iteration": 2 * best + 2}


def test_a_run_that_was_stopped_stops_there_again(tmp_path):
    best, checkpoint = tmp_path / "best.safetensors", tmp_path / "run.safetensors"
    run = {"iterations": 10, "seed": 0, "checkpoint": checkpoint, "checkpoint_every": 4}
    scores = [3.0, 2.0, 2.5, 2.0, 1.0]
    ends = []
    for part in (scores, scores[2:]):  # the second goes on from iteration 4
        model = start(seed=len(part))
        if part is scores:
            model = start()
        _, history = scores_of(part, best, 2, model, **run)
        ends.append((history, [p.detach() for p in model.parameters()]))
    assert ends[0][0] == ends[1][0]
    assert all(map(torch.equal, ends[0][1], ends[1][1]))


def test_patience_is_a_number_of_validations(tmp_path):
    with pytest.raises(ValueError, match="patience: expected at least 1, got 0"):
        KeepBest(tmp_path / "best.safetensors", 0, model=start())


@pytest.mark.parametrize("compile", [False, True])
def test_tasks_in_parts_take_the_same_step(compile):
    runs = []
    for tasks_at_once in (None, 2, 9):  # parts of 2, 2 and 1
        model = start().double()
        rates = LearnedRates(model, 0.1).double()
        history = meta_train(
            model,
            lambda rng: draw(rng).map(lambda array: array.astype(np.float64)),
            2,
            rates,
            iterations=3,
            seed=0,
            tasks_at_once=tasks_at_once,
            compile=compile,
        )
        runs.append((history.loss, [*model.parameters(), *rates.parameters()]))
    for loss, parameters in runs[1:]:
        np.testing.assert_allclose(loss, runs[0][0], rtol=1e-10)
        for own, other in zip(parameters, runs[0][1], strict=True):
            torch.testing.assert_close(own, other, rtol=1e-9, atol=1e-12)


def test_parts_have_a_task():
    with pytest.raises(ValueError, match="tasks_at_once: expected at least 1, got 0"):
        meta_train(start(), draw, iterations=1, seed=0, tasks_at_once=0)
