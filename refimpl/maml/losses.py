"""Losses that skip what was not observed."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits


def mse(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean squared error over the observed examples; 0 if there are none.

    Parameters
    ----------
    prediction, target : [K, O]
    mask : [K]
        1 where the example was observed. Where it is 0, the prediction and
        the target have exactly no influence, on the loss or its gradient.

    Raises
    ------
    ValueError
        If the shapes do not fit: [K] against [K, 1] would broadcast to [K, K].
    """
    _check_shapes(prediction, target, mask)
    error = torch.where(mask[:, None] == 1, prediction - target, 0.0)
    return error.square().sum() / (mask.sum() * target.shape[1]).clamp(min=1)


def binary_cross_entropy(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of right and wrong over the observed; 0 if there are none.

    As :func:`mse`, with ``prediction`` [K, O] as logits: sigmoid(prediction)
    is the probability that ``target`` is 1. Natural logarithm (nats).
    """
    _check_shapes(prediction, target, mask)
    prediction = torch.where(mask[:, None] == 1, prediction, 0.0)  # its slope, too
    each = binary_cross_entropy_with_logits(prediction, target, reduction="none")
    each = torch.where(mask[:, None] == 1, each, 0.0)
    return each.sum() / (mask.sum() * target.shape[1]).clamp(min=1)


def cross_entropy(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy of classes over the observed examples; 0 if there are none.

    ``prediction`` [K, C] holds a logit for each of C classes, ``target`` [K] the number
    of the right one, ``mask`` [K] as for :func:`mse`. In nats. Raises a ValueError if
    the shapes do not fit, and a TypeError if the targets are no integers. An observed
    target that is no class makes it NaN, since its value cannot be asked for here.
    """
    _check_classes(prediction, target, mask)
    observed = mask == 1
    prediction = torch.where(observed[:, None], prediction, 0.0)  # its slope, too
    known = target.clamp(0, prediction.shape[1] - 1)
    each = nn.functional.cross_entropy(prediction, known, reduction="none")
    each = torch.where(target == known, each, torch.nan)
    return torch.where(observed, each, 0.0).sum() / mask.sum().clamp(min=1)


def accuracy(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """The share of observed examples whose class has the greatest logit.

    Arguments and errors as for :func:`cross_entropy`; a ``metric`` for
    :func:`maml.evaluate`.
    """
    _check_classes(prediction, target, mask)
    right = (prediction.argmax(dim=1) == target) & (mask == 1)
    return right.sum() / mask.sum().clamp(min=1)


def _check_classes(prediction: Tensor, target: Tensor, mask: Tensor) -> None:
    shapes = [tuple(tensor.shape) for tensor in (prediction, target, mask)]
    if prediction.ndim != 2 or not shapes[0][:1] == shapes[1] == shapes[2]:
        raise ValueError(
            "prediction, target, mask: expected shapes [examples, classes], [examples] "
            f"and [examples], got {shapes}"
        )
    if target.is_floating_point():
        raise TypeError(f"target: expected integers, got {target.dtype}")


def _check_shapes(prediction: Tensor, target: Tensor, mask: Tensor) -> None:
    shapes = [tuple(tensor.shape) for tensor in (prediction, target, mask)]
    if prediction.ndim != 2 or shapes[0] != shapes[1]:
        raise ValueError(
            "prediction, target: expected the same shape [examples, outputs], got "
            f"{shapes[0]} and {shapes[1]}"
        )
    if shapes[2] != shapes[1][:1]:
        raise ValueError(f"mask: expected shape {shapes[1][:1]}, got {shapes[2]}")
