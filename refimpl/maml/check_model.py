"""Do a model and a loss know each example alone? Padding must not show."""

import torch
from torch import Tensor, nn

from refimpl.maml.arguments import LossFn, Params
from refimpl.maml.exact import exact
from refimpl.maml.forward import forward, score
from refimpl.maml.over_tasks import as_tensors
from refimpl.tasks import TaskBatch


def check_model(model: nn.Module, params: Params, batch: TaskBatch) -> None:
    """Raise unless ``model``, with ``params`` [...], predicts each example by itself.

    The first task of ``batch`` is predicted twice, the second time with copies of the
    last example in all other places. A mean over examples, as in a batch norm of one's
    own, or a recurrent layer without ``batch_first``, makes another prediction of it.
    With examples that are all alike, or random numbers that PyTorch did not draw,
    nothing can be told.

    Raises
    ------
    ValueError
        If the last example's prediction depends on the others, if there is not one
        prediction for each example, or a buffer changes.
    TypeError
        If the model returns no tensor.
    """
    support_x, _, _, query_x, _, _ = (t[0] for t in as_tensors(batch, params))
    x = torch.cat([support_x, query_x])

    def predicted(x: Tensor) -> Tensor:
        devices = [x.device] if x.is_cuda else []
        with torch.no_grad(), exact(), torch.random.fork_rng(devices=devices):
            return forward(model, params, x)  # each time with the same dropout

    def alike(one: Tensor, other: Tensor) -> bool:
        coarse = max(1e-3, 16 * torch.finfo(one.dtype).eps)  # bfloat16 has 8 bits
        return torch.allclose(one[-1], other[-1], coarse, coarse / 1000, equal_nan=True)

    among_others = predicted(x)
    if among_others.shape[:1] != x.shape[:1]:
        raise ValueError(
            f"model: expected a prediction for each of {len(x)} examples, got shape "
            f"{tuple(among_others.shape)}"
        )
    among_copies = predicted(x[-1:].expand_as(x))
    if not alike(among_others, among_copies) and alike(among_others, predicted(x)):
        raise ValueError(
            "model: expected predictions that each depend on their own example alone; "
            "they change with the other examples, so padding would count. Look for a "
            "mean over examples, or a recurrent layer without batch_first=True"
        )


def check_learner(
    model: nn.Module, params: Params, batch: TaskBatch, loss_fn: LossFn
) -> None:
    """Raise unless gradients of ``loss_fn`` can adapt ``model``, and padding cannot.

    As :func:`check_model`, with ``params`` [...] and the first task of ``batch``. Also
    a ValueError if a prediction or a loss has no gradient, as after ``argmax`` or
    ``detach``, or if the loss depends on an example whose mask is 0.
    """
    check_model(model, params, batch)
    tensors = [t[0] for t in as_tensors(batch, params)]
    x, y, mask = (torch.cat([tensors[i], tensors[i + 3]]) for i in range(3))
    leaves = {
        n: p.detach().requires_grad_(p.is_floating_point()) for n, p in params.items()
    }
    devices = [x.device] if x.is_cuda else []
    with torch.enable_grad(), exact(), torch.random.fork_rng(devices=devices):
        prediction = forward(model, leaves, x)
        known = prediction.detach().requires_grad_()
        seen = torch.ones_like(mask)
        seen[-1] = 0
        value = score(loss_fn, known, torch.where(_like(mask, y) == 1, y, 0), seen)
    for name, made in (("model", prediction), ("loss_fn", value)):
        if not made.requires_grad:
            raise ValueError(
                f"{name}: expected a result with a gradient; look for argmax, detach, "
                "no_grad or NumPy"
            )
    (slope,) = torch.autograd.grad(value, known)
    if slope[-1].any():
        raise ValueError(
            "loss_fn: expected an example whose mask is 0 to have no influence; take "
            "the mean over those whose mask is 1"
        )


def _like(mask: Tensor, y: Tensor) -> Tensor:
    """``mask`` [K] with as many axes as ``y`` [K, ...]."""
    return mask.reshape(mask.shape + (1,) * (y.ndim - 1))
