"""Inner rules beside :func:`sgd`, as the ``rule`` of :func:`adapt`.

They know one task; under ``over_tasks`` each task has velocities and norms of its own.
"""

from typing import Any

import torch

from refimpl.checks import check_number
from refimpl.maml.inner import InnerRule, Params, sgd


def momentum(beta: float = 0.9) -> InnerRule:
    """Steps with momentum ``beta``: v <- beta v + grad, theta <- theta - alpha v.

    Heavy-ball momentum (Polyak 1964), as :class:`torch.optim.SGD` has it. The velocity
    v, 0 at first, belongs to one adaptation, which may be differentiated through. A
    TypeError or ValueError if ``beta`` is not from 0 to 1.
    """
    check_number("beta", beta, 0, 1)

    def step(params: Params, grads: Params, rates: Params, memory: Any) -> Any:
        velocity = (
            grads
            if memory is None
            else {n: beta * memory[n] + g for n, g in grads.items()}
        )
        return sgd(params, velocity, rates)[0], velocity

    return step


def clipped(max_norm: float, rule: InnerRule = sgd) -> InnerRule:
    """``rule``, with gradients of norm above ``max_norm`` scaled down to it.

    The norm is that of all moving parameters together (Pascanu, Mikolov & Bengio 2013).
    A ValueError if ``max_norm`` is not above 0.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm: expected more than 0, got {max_norm}")

    def step(params: Params, grads: Params, rates: Params, memory: Any) -> Any:
        square = torch.stack([g.square().sum() for g in grads.values()]).sum()
        scale = max_norm / square.clamp(min=max_norm**2).sqrt()  # no root of 0
        return rule(params, {n: scale * g for n, g in grads.items()}, rates, memory)

    return step
