"""The inner loop: from one initialization to one task's own parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

from refimpl.maml.losses import mse

Params = dict[str, Tensor]
LossFn = Callable[[Tensor, Tensor, Tensor], Tensor]
FastLr = float | Params | nn.Module


def adapt(
    model: nn.Module,
    params: Params,
    x: Tensor,
    y: Tensor,
    mask: Tensor,
    loss_fn: LossFn = mse,
    fast_lr: FastLr = 0.01,
    num_steps: int = 1,
    first_order: bool = False,
) -> Params:
    """Take ``num_steps`` gradient steps on one task's support set.

    theta' = theta - alpha grad_theta L(theta; support), repeated: equation (1)
    of Finn, Abbeel & Levine (2017). The steps are pure functions of
    ``params``: the model's own parameters stay as they are, and the result
    can be differentiated with respect to ``params``.

    Parameters
    ----------
    model : nn.Module
        Only its structure is used; every parameter comes from ``params``.
    params : dict of tensors
        theta, named as ``model.named_parameters()`` names them.
    x, y, mask : [K, D], [K, O], [K]
        The support set; mask 1 = observed.
    loss_fn : (prediction, target, mask) -> scalar
        L, the mean over observed examples.
    fast_lr : float, dict of tensors, or LearnedRates
        alpha; a dict holds one for each parameter, named like ``params``, as a
        scalar or of the parameter's shape. :class:`LearnedRates` makes such a
        dict.
    num_steps : int
        k >= 0. With 0, ``params`` themselves are returned.
    first_order : bool
        Treat the inner gradients as constants when the result is
        differentiated: no second derivatives (first-order MAML).

    Returns
    -------
    dict of tensors
        theta', named like ``params``.

    Raises
    ------
    ValueError
        If ``num_steps`` is negative, or ``params`` or ``fast_lr`` lack a
        parameter of the model, have another, or have a rate of a wrong shape.
        If the model has batch normalization whose statistics come from the
        batch: they would mix examples, the empty places among them.
    """
    rates = _check(model, params, fast_lr, num_steps)

    def support_loss(params: Params) -> Tensor:
        return loss_fn(functional_call(model, params, (x,)), y, mask)

    for _ in range(num_steps):
        grads = grad(support_loss)(params)
        if first_order:
            grads = {n: g.detach() for n, g in grads.items()}
        params = {n: params[n] - rates[n] * grads[n] for n in params}
    return params


def _check(
    model: nn.Module, params: Params, fast_lr: FastLr, num_steps: int
) -> dict[str, Any]:
    """The inner rate of each parameter, or an error that names the argument."""
    if num_steps < 0:
        raise ValueError(f"num_steps: expected 0 or more, got {num_steps}")
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and (
            module.training or not module.track_running_stats
        ):
            raise ValueError(
                f"model: expected no batch normalization ({name}), whose statistics "
                "mix examples; use LayerNorm, or model.eval() with trained statistics"
            )
    names = dict(model.named_parameters()).keys()
    if params.keys() != names:
        different = sorted(params.keys() ^ names)
        raise ValueError(f"params: expected the model's own names, see {different}")
    rates = fast_lr() if isinstance(fast_lr, nn.Module) else fast_lr
    if not isinstance(rates, dict):
        return dict.fromkeys(params, rates)
    if rates.keys() != names:
        different = sorted(rates.keys() ^ names)
        raise ValueError(
            f"fast_lr: expected a rate for each parameter, see {different}"
        )
    for name, rate in rates.items():
        shape = params[name].shape
        if torch.broadcast_shapes(rate.shape, shape) != shape:
            raise ValueError(
                f"fast_lr: expected one rate for {name} or {tuple(shape)}, "
                f"got {tuple(rate.shape)}"
            )
    return rates
