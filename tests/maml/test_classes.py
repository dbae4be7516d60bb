"""Images, classes, and losses with a mask: few-shot classification."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from refimpl.maml import accuracy, adapt, cross_entropy, evaluate, meta_train, mlp, mse
from refimpl.tasks import TaskBatch


def stripes(rng, tasks=4, shots=2, queries=5):
    """Two classes of images, of bright rows or columns; which is 0 differs by task."""
    swap, arrays = rng.integers(2, size=tasks), []
    for examples in (shots, queries):
        column = np.arange(examples) % 2 == np.zeros((tasks, 1))
        place = rng.integers(6, size=(tasks, examples))
        bright = np.eye(6, dtype=np.float32)[place]
        rows = np.broadcast_to(bright[..., None], (tasks, examples, 6, 6))
        images = np.where(column[..., None, None], rows.swapaxes(2, 3), rows)
        images = images + rng.normal(scale=0.1, size=images.shape)
        classes = (column + swap[:, None]) % 2
        arrays += [images[:, :, None].astype(np.float32), classes]
        arrays.append(np.ones((tasks, examples), np.float32))
    return TaskBatch(*arrays)


def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(32, 2))


def test_cross_entropy_and_accuracy_by_hand():
    logits = torch.tensor([[0.0, 0.0], [0.0, np.log(3.0)], [5.0, -5.0]])
    target, mask = torch.tensor([0, 1, 1]), torch.tensor([1.0, 1.0, 0.0])
    by_hand = (np.log(2) + np.log(4 / 3)) / 2
    assert cross_entropy(logits, target, mask).item() == pytest.approx(by_hand)
    assert accuracy(logits, target, mask).item() == 1.0
    assert accuracy(logits, target, torch.ones(3)).item() == pytest.approx(2 / 3)
    nothing = torch.zeros(3)
    assert cross_entropy(logits, target, nothing).item() == 0.0
    spoiled = logits.clone()
    spoiled[2] = np.nan
    spoiled.requires_grad_()
    cross_entropy(spoiled, target, mask).backward()
    assert spoiled.grad.isfinite().all()
    for wrong in (target[:2], target[:, None]):
        with pytest.raises(ValueError, match="prediction, target, mask: expected"):
            cross_entropy(logits, wrong, mask)
    with pytest.raises(TypeError, match="target: expected integers"):
        accuracy(logits, target.float(), mask)


def test_classes_of_images_are_learned_from_two_examples():
    model = network()
    new = stripes(np.random.default_rng(99), tasks=50)
    settings = {"loss_fn": cross_entropy, "num_steps": 3, "fast_lr": 0.3}
    meta_train(model, stripes, meta_lr=0.01, iterations=60, seed=0, **settings)
    params = dict(model.named_parameters())
    judged = evaluate(model, params, new, metric=accuracy, **settings)
    assert judged.shape == (4, 50)
    before, *_, after = judged.mean(axis=1)
    assert before < 0.65 < 0.9 < after
    losses = evaluate(model, params, new, **settings).mean(axis=1)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("wrong", [F.cross_entropy, nn.CrossEntropyLoss(), F.mse_loss])
def test_losses_of_pytorch_would_take_the_mask_for_weights(wrong):
    model = mlp(1, 2, seed=0)
    x, y, mask = torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64), torch.ones(3)
    with pytest.raises(ValueError, match="loss_fn: expected a function of prediction"):
        adapt(model, dict(model.named_parameters()), x, y, mask, wrong)


def test_fields_of_another_class_are_taken_by_name():
    class Other:
        def __init__(self, **arrays):
            vars(self).update(arrays)

    model = network()
    batch = stripes(np.random.default_rng(0))
    settings = {"loss_fn": cross_entropy, "fast_lr": 0.1}
    params = dict(model.named_parameters())
    expected = evaluate(model, params, batch, **settings)
    backwards = Other(**dict(reversed(vars(batch).items())))
    found = evaluate(model, params, backwards, **settings)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError, match="batch: expected a TaskBatch, got dict"):
        evaluate(model, params, vars(batch), **settings)
    with pytest.raises(TypeError, match="batch: expected a TaskBatch, got Other"):
        evaluate(model, params, Other(), loss_fn=mse)
