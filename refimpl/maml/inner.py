"""The inner loop: from one initialization to one task's own parameters."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call, grad

from refimpl.checks import check_count, check_number
from refimpl.maml.losses import mse

Params = dict[str, Tensor]
LossFn = Callable[[Tensor, Tensor, Tensor], Tensor]
Rates = dict[str, Tensor | None]
FastLr = float | Rates | nn.Module


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
    """Take ``num_steps`` gradient steps on one task's support set; return theta'.

    theta' = theta - alpha grad_theta L(theta; support), repeated: equation (1)
    of Finn, Abbeel & Levine (2017). The steps are pure functions of
    ``params``: the model's own parameters stay as they are, and theta', named
    like ``params``, can be differentiated with respect to them.

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
    fast_lr : float, dict of tensors, or module such as LearnedRates
        alpha. A dict, or what the module returns, holds one rate for each
        parameter, a scalar or of its shape; None holds it still.
    num_steps : int
        k >= 0. With 0, ``params`` themselves are returned.
    first_order : bool
        Take the inner gradients for constants when the result is
        differentiated: no second derivatives (first-order MAML).

    Raises
    ------
    TypeError, ValueError
        If ``num_steps`` or ``fast_lr`` is negative or no number; if ``loss_fn`` is one
        of PyTorch's, which would take the mask for weights; if ``params`` or
        ``fast_lr`` have not exactly the model's names, or rates a wrong shape; if the
        model has batch normalization with the batch's own statistics, which mix
        examples.
    """
    rates = _check(model, params, loss_fn, fast_lr, num_steps)
    moving = [n for n, rate in rates.items() if rate is not None]

    def support_loss(moved: Params, params: Params) -> Tensor:
        return loss_fn(functional_call(model, params | moved, (x,)), y, mask)

    for _ in range(num_steps):
        grads = grad(support_loss)({n: params[n] for n in moving}, params)
        if first_order:
            grads = {n: g.detach() for n, g in grads.items()}
        params = params | {n: params[n] - rates[n] * grads[n] for n in moving}
    return params


def _check(
    model: nn.Module,
    params: Params,
    loss_fn: LossFn,
    fast_lr: FastLr,
    num_steps: int,
) -> dict[str, Any]:
    """The inner rate of each parameter, or an error that names the argument."""
    check_count("num_steps", num_steps, 0)
    if str(getattr(loss_fn, "__module__", "")).startswith("torch"):
        raise ValueError(
            "loss_fn: expected a function of prediction, target and mask, such as "
            "refimpl.maml.cross_entropy; PyTorch's losses take no mask"
        )
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and (
            module.training or not module.track_running_stats
        ):
            raise ValueError(
                f"model: expected no batch normalization ({name}), whose statistics "
                "mix examples; use LayerNorm, or model.eval() with trained statistics"
            )
    rates = fast_lr() if isinstance(fast_lr, nn.Module) else fast_lr
    if not isinstance(rates, dict):
        if not isinstance(rates, Tensor):  # its value may be unknown, inside of vmap
            check_number("fast_lr", rates, 0)
        rates = dict.fromkeys(params, rates)
    names = dict(model.named_parameters()).keys()
    for argument, given in (("params", params), ("fast_lr", rates)):
        if given.keys() != names:
            raise ValueError(
                f"{argument}: expected the model's own names, see "
                f"{sorted(given.keys() ^ names)}"
            )
    for name, rate in rates.items():
        shape, own = params[name].shape, tuple(getattr(rate, "shape", ()))
        if own not in ((), tuple(shape)):
            raise ValueError(
                f"fast_lr: expected one rate for {name} or {tuple(shape)}, got {own}"
            )
    return rates
