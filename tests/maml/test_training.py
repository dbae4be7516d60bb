"""meta_train learns, resumes bit for bit, and stops on what is not a number."""

from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from refimpl.maml import (
    LearnedRates,
    binary_cross_entropy,
    evaluate,
    load_tensors,
    meta_loss,
    meta_train,
    mlp,
    mse,
    save_tensors,
)
from refimpl.students import summed
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


def test_a_finished_run_is_only_loaded(tmp_path, capsys):
    path = tmp_path / "run.safetensors"
    model, _ = start()
    meta_train(model, draw, 1, iterations=3, seed=0, checkpoint=path)
    other, _ = start(seed=9)
    meta_train(other, draw, 1, iterations=3, seed=0, checkpoint=path)
    assert all(map(torch.equal, model.parameters(), other.parameters()))
    assert "is finished, nothing was trained" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_steps": 2}, "made with num_steps=1, this run has num_steps=2"),
        ({"fast_lr": 0.02}, "made with fast_lr=0.01, this run has fast_lr=0.02"),
        ({"seed": 1}, "made with seed=0"),
        ({"first_order": True}, "made with first_order=False"),
        ({"loss_fn": lambda p, t, m: mse(p, t, m)}, "made with loss_fn=mse"),
        ({"iterations": 1}, "iterations: expected 2 or more"),
        ({"model": mlp(1, 9, 1, seed=0)}, "made with model=Sequential"),
        ({"model": mlp(1, 8, 1, seed=0)}, "made with model=Sequential"),  # ReLU
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, message):
    settings = {
        "model": start()[0],
        "tasks": draw,
        "num_steps": 1,
        "iterations": 2,
        "seed": 0,
        "checkpoint": tmp_path / "run.safetensors",
    }
    meta_train(**settings)
    with pytest.raises(ValueError, match=message):
        meta_train(**settings | change)


def test_a_dict_of_plain_numbers_is_as_one_rate_for_all(tmp_path):
    (one, _), (each, _) = start(), start()
    rates = {name: 0.01 for name, _ in each.named_parameters()}
    path = tmp_path / "run.safetensors"
    for iterations in (2, 4):  # the second goes on from the first: the settings agree
        meta_train(each, draw, 1, rates, iterations=iterations, seed=0, checkpoint=path)
    meta_train(one, draw, 1, 0.01, iterations=4, seed=0)
    assert all(map(torch.allclose, one.parameters(), each.parameters()))


def powered(prediction, target, mask, power):
    return mse(prediction, target, mask) ** power


def test_a_loss_has_a_name_without_an_address(tmp_path):
    path = tmp_path / "run.safetensors"
    loss = partial(powered, power=2)
    meta_train(start()[0], draw, iterations=1, seed=0, loss_fn=loss, checkpoint=path)
    name = load_tensors(path)[1]["settings"]["loss_fn"]
    assert name == "functools.partial(<function powered>, power=2)"


def test_a_sum_of_another_loss_is_another_loss(tmp_path):
    run = {"iterations": 1, "seed": 0, "checkpoint": tmp_path / "run.safetensors"}
    for _ in range(2):  # the second only loads what the first has saved
        meta_train(start()[0], draw, loss_fn=summed(mse), **run)
    with pytest.raises(ValueError, match="made with loss_fn=.*_summed.*mse"):
        meta_train(start()[0], draw, loss_fn=summed(binary_cross_entropy), **run)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"checkpoint_every": 0}, "checkpoint_every: expected at least 1, got 0"),
        ({"validate_every": 0}, "validate_every: expected at least 1, got 0"),
        ({"fast_lr": -0.1}, "fast_lr: expected at least 0, got -0.1"),
        ({"fast_lr": torch.tensor(-0.1)}, "fast_lr: expected at least 0, got -0.1"),
        ({"fast_lr": torch.ones(3)}, r"fast_lr: expected one rate, got shape \(3,\)"),
        (
            {"fast_lr": torch.ones((), requires_grad=True)},
            "fast_lr: .* LearnedRates",
        ),
        ({"fast_lr": [0.1] * 4}, "fast_lr: expected rates for 5 steps or more, got 4"),
        ({"max_grad_norm": -1}, "max_grad_norm: expected at least 0, got -1"),
        ({"num_steps": 11, "compile": True}, "num_steps: expected 0 to 10, got 11"),
        ({"fast_lr": float("nan")}, "fast_lr: expected at least 0, got nan"),
    ],
)
def test_wrong_settings_are_named_before_training(wrong, message):
    def never(rng):
        raise AssertionError("drew tasks all the same")

    with pytest.raises(ValueError, match=message):
        meta_train(start()[0], never, iterations=1, seed=0, **wrong)


class Silent(torch.nn.Module):
    """Its repr does not tell its size."""

    def __init__(self, units):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(units))
        self.bias = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x * self.weight.mean() + self.bias


def test_a_checkpoint_of_another_size_is_refused_and_changes_nothing(tmp_path):
    path = tmp_path / "run.safetensors"
    meta_train(Silent(2), draw, 1, iterations=1, seed=0, checkpoint=path)
    other = Silent(3)
    with pytest.raises(ValueError, match="parameters of another model"):
        meta_train(other, draw, 1, iterations=1, seed=0, checkpoint=path)
    assert other.bias.item() == 0


def test_a_checkpoint_of_another_precision_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    meta_train(start()[0].double(), draw, iterations=1, seed=0, checkpoint=path)
    with pytest.raises(ValueError, match="parameters of another model"):
        meta_train(start()[0], draw, iterations=1, seed=0, checkpoint=path)


def test_a_rate_of_another_number_type_is_the_same_rate(tmp_path):
    path = tmp_path / "run.safetensors"
    for rate in (0.5, np.float64(0.5)):
        meta_train(start()[0], draw, 1, rate, iterations=1, seed=0, checkpoint=path)


def test_rates_that_differ_in_the_middle_of_a_long_tensor_are_others(tmp_path):
    path = tmp_path / "run.safetensors"
    model = mlp(1, 40, 40, 1, seed=0)
    rates = {n: torch.full_like(p, 0.01) for n, p in model.named_parameters()}
    meta_train(model, draw, 1, rates, iterations=1, seed=0, checkpoint=path)
    rates["2.weight"][20, 20] = 0.02
    with pytest.raises(ValueError, match="made with fast_lr"):
        meta_train(model, draw, 1, rates, iterations=1, seed=0, checkpoint=path)


def test_a_foreign_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    save_tensors(path, {"a": torch.ones(2)}, note={"made": "by a test"})
    with pytest.raises(ValueError, match="was not written by meta_train"):
        meta_train(start()[0], draw, iterations=1, seed=0, checkpoint=path)


def test_a_missing_folder_is_told_before_training(tmp_path):
    def never(rng):
        raise AssertionError("trained although nothing could be saved")

    path = tmp_path / "nowhere" / "run.safetensors"
    with pytest.raises(FileNotFoundError, match="checkpoint: no folder"):
        meta_train(start()[0], never, iterations=1, seed=0, checkpoint=path)


def test_checkpoints_are_written_on_the_way_and_with_numpy_numbers(tmp_path):
    path = tmp_path / "run.safetensors"
    seen = []

    def watched(rng):
        seen.append(path.exists())
        return draw(rng)

    meta_train(
        start()[0],
        watched,
        iterations=5,
        seed=np.int64(3),
        meta_lr=np.float32(0.01),
        validate=lambda: np.float32(1.5),
        validate_every=1,
        checkpoint=path,
        checkpoint_every=2,
    )
    assert seen == [False, False, True, True, True]


def test_buffers_are_saved_and_restored(tmp_path):
    path = tmp_path / "run.safetensors"
    for written in (7.0, 0.0):
        model = mlp(1, 4, 1, seed=0)
        model.register_buffer("scale", torch.tensor(written))
        meta_train(model, draw, iterations=1, seed=0, checkpoint=path)
    assert model.scale.item() == 7.0


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_tensors(path, {"a": torch.ones(2)}, note={"made": "by a test"})
    with pytest.raises(TypeError):
        save_tensors(path, {"a": torch.zeros(2)}, note={"bad": object()})
    tensors, note = load_tensors(path)
    assert torch.equal(tensors["a"], torch.ones(2))
    assert note == {"made": "by a test"}
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def twice_mse(prediction, target, mask):
    return 2 * mse(prediction, target, mask)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"num_steps": 3},
        {"fast_lr": 0.2},
        {"meta_lr": 0.1},
        {"first_order": True},
        {"loss_fn": twice_mse},
    ],
)
def test_one_iteration_is_one_step_of_adam_on_the_meta_loss(change):
    given = {
        "num_steps": 2,
        "fast_lr": 0.05,
        "meta_lr": 0.01,
        "first_order": False,
        "loss_fn": mse,
    } | change
    model, _ = start()
    trained, _ = start()
    history = meta_train(trained, draw, iterations=1, seed=4, **given)

    meta_lr = given.pop("meta_lr")
    batch = draw(np.random.default_rng([4, 0]))
    loss = meta_loss(model, dict(model.named_parameters()), batch, **given)
    optimizer = torch.optim.Adam(model.parameters(), lr=meta_lr, fused=True)
    loss.backward()
    optimizer.step()
    assert history.loss == [loss.item()]
    assert all(map(torch.equal, model.parameters(), trained.parameters()))


def test_weights_do_not_decay_where_there_is_no_gradient():
    model, _ = start()
    before = [p.detach().clone() for p in model.parameters()]

    def nothing_known(rng):
        batch = draw(rng)
        batch.query_mask[:] = 0
        return batch

    meta_train(model, nothing_known, iterations=2, seed=0)
    assert all(map(torch.equal, model.parameters(), before))


def test_a_loss_that_is_not_finite_names_iteration_and_task():
    model, _ = start()
    calls, before = [], []

    def spoiled(rng):
        calls.append(batch := draw(rng))
        if len(calls) == 3:
            before.extend(p.detach().clone() for p in model.parameters())
            batch.query_y[1] = 1e30  # its square is beyond float32
        return batch

    with pytest.raises(FloatingPointError, match=r"not finite at iteration 2, .*\[1\]"):
        meta_train(model, spoiled, 1, iterations=9, seed=0)
    assert len(calls) == 3
    assert all(map(torch.equal, model.parameters(), before))


def test_a_gradient_that_is_not_finite_stops_before_the_step():
    model, _ = start()
    before = [p.detach().clone() for p in model.parameters()]

    def root(prediction, target, mask):  # finite at 0, its slope is not
        return (0 * mse(prediction, target, mask)).sqrt()

    with pytest.raises(FloatingPointError, match="meta-gradient is not finite"):
        meta_train(model, draw, 0, iterations=1, seed=0, loss_fn=root)
    assert all(map(torch.equal, model.parameters(), before))


def test_rates_that_are_learned_are_stepped_and_others_are_not():
    model, rates = start()
    before = rates.log_rates.detach().clone()
    meta_train(model, draw, 2, rates, iterations=3, seed=0)
    assert (rates.log_rates != before).all()

    tracked = {name: rate.clone() for name, rate in rates().items()}
    with pytest.raises(ValueError, match="fast_lr: .* use LearnedRates"):
        meta_train(model, draw, 2, tracked, iterations=1, seed=0)


def test_rates_in_a_dict_are_those_of_a_number():
    losses = []
    for fixed in (0.05, {name: torch.tensor(0.05) for name in start()[1].names}):
        model, _ = start()
        losses.append(meta_train(model, draw, 2, fixed, iterations=3, seed=0).loss)
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_training_makes_adaptation_better():
    model, rates = start()
    batch = SinusoidTasks().sample(50, 4, 20, np.random.default_rng(99))

    def error():
        params = dict(model.named_parameters())
        return evaluate(model, params, batch, fast_lr=rates, num_steps=2)[-1].mean()

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


def test_tensors_that_another_program_wrote_are_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="not written by save_tensors"):
        load_tensors(path)
    for junk in (b"", b"no tensors at all", b"PK\x03\x04 the start of a zip file"):
        path.write_bytes(junk)
        with pytest.raises(ValueError, match=f"path: {path} was not written by save_t"):
            load_tensors(path)
    with pytest.raises(FileNotFoundError):
        load_tensors(tmp_path / "nowhere.safetensors")
