"""The inner loop: from one initialization to one task's own parameters."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.func import grad

from refimpl.maml.arguments import (
    FastLr,
    InnerRule,
    LossFn,
    Params,
    inner_rates,
)
from refimpl.maml.forward import forward, score, stepped
from refimpl.maml.losses import mse


def sgd(
    params: Params, grads: Params, rates: Params, memory: Any = None
) -> tuple[Params, Any]:
    """The inner rule of MAML: theta' = theta - alpha grad; it remembers nothing.

    Equation (1) of Finn, Abbeel & Levine (2017). ``grads`` and ``rates`` [...] name
    which of ``params`` move; these are returned, and ``memory`` as it is.
    """
    return {n: params[n] - rates[n] * g for n, g in grads.items()}, memory


def inner_loop(
    model: nn.Module,
    params: Params,
    x: Tensor,
    y: Tensor,
    mask: Tensor,
    loss_fn: LossFn = mse,
    fast_lr: FastLr = 0.01,
    num_steps: int = 1,
    first_order: bool = False,
    rule: InnerRule = sgd,
) -> Iterator[Params]:
    """Yield the parameters after 0, 1, ..., ``num_steps`` steps on a support set.

    Arguments and errors as for :func:`adapt`, which returns the last of them.
    """
    rates = inner_rates(model, params, loss_fn, fast_lr, num_steps)

    def support_loss(moved: Params, params: Params) -> Tensor:
        return score(loss_fn, forward(model, params | moved, x), y, mask)

    memory = None
    yield params
    for own in rates:
        moving = {n: rate for n, rate in own.items() if rate is not None}
        grads = grad(support_loss)({n: params[n] for n in moving}, params)
        if first_order:
            grads = {n: g.detach() for n, g in grads.items()}
        params, memory = stepped(rule, params, grads, moving, memory)
        yield params


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
    rule: InnerRule = sgd,
) -> Params:
    """Take ``num_steps`` gradient steps on one task's support set; return theta'.

    theta' = theta - alpha grad_theta L(theta; support), repeated: equation (1)
    of Finn, Abbeel & Levine (2017). The steps are pure functions of
    ``params``: the model's own parameters stay as they are, and theta', named
    like ``params``, can be differentiated with respect to them. Called alone, outside
    of :func:`over_tasks`, a model with attention needs ``with exact():`` around it, and
    so do layer norms under a vmap of your own.

    Parameters
    ----------
    model : nn.Module
        Only its structure is used; every parameter comes from ``params``.
    params : dict of tensors
        theta, named as ``model.named_parameters()`` names them.
    x, y, mask : [K, ...], [K, O] or [K], [K]
        The support set; mask 1 = observed.
    loss_fn : (prediction, target, mask) -> scalar
        L, the mean over observed examples.
    fast_lr : float, dict of tensors, one of these for each step, or a module
        alpha. One number is the rate of every parameter whose ``requires_grad`` is
        True; the others hold still. A dict holds one rate for each parameter, a scalar
        or of its shape, or None: it holds still. A list of these has one entry for
        each step. A module, such as :class:`LearnedRates`, returns one of these. In a
        dict rates may be negative, as Meta-SGD's are.
    num_steps : int
        k >= 0. With 0, ``params`` themselves are returned.
    first_order : bool
        Take the inner gradients for constants when the result is
        differentiated: no second derivatives (first-order MAML).
    rule : (params, grads, rates, memory) -> params, memory
        What a step does: :func:`momentum`, :func:`clipped`, or one of your own, which
        may remember by ``memory`` alone, since tasks are computed together.

    Raises
    ------
    TypeError, ValueError
        If ``num_steps`` or ``fast_lr`` is negative or no number; if ``loss_fn`` is one
        of PyTorch's, which would take the mask for weights; if ``params`` or
        ``fast_lr`` have not exactly the model's names, or rates a wrong shape, or too
        few steps; if no parameter would move; if the model returns no tensor, or has
        batch normalization with the batch's own statistics, which mix examples.
    """
    *_, adapted = inner_loop(
        model, params, x, y, mask, loss_fn, fast_lr, num_steps, first_order, rule
    )
    return adapted
