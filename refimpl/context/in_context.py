"""Learning in context: a network that reads the support set, and takes no step.

    prediction = f_theta(query_x; support set)

Meta-training teaches it to make, in one forward pass, what the inner loop made by
steps: the query's posterior mean, if the loss is a mean square, over tasks like those
that it met (neural processes, Garnelo et al. 2018; prior-fitted networks, Mueller et
al. 2022).
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from refimpl.checks import check_count
from refimpl.maml.arguments import LossFn, Params
from refimpl.maml.forward import score
from refimpl.maml.losses import mse
from refimpl.maml.over_tasks import as_tensors
from refimpl.tasks import TaskBatch


class InContext(nn.Module):
    """Attention from every example to the observed support examples.

    A support example is the sum of what two linear layers make of its input and its
    target, a query that of its input alone. Nothing tells their places, so that the
    order of examples has no influence; nor have examples whose mask is 0, since none
    attends to them.

    Parameters
    ----------
    inputs, outputs : int
        D and O, how many numbers an input and a target have.
    width, layers, heads : int
        Of :class:`torch.nn.TransformerEncoder`.
    seed : int
        Fixes the initial weights.

    Raises
    ------
    TypeError, ValueError
        If a size or the seed is no count, or ``width`` no multiple of ``heads``.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int = 1,
        *,
        width: int = 64,
        layers: int = 3,
        heads: int = 4,
        seed: int,
    ) -> None:
        sizes = {"inputs": inputs, "outputs": outputs, "width": width, "layers": layers}
        for name, size in (sizes | {"heads": heads}).items():
            check_count(name, size, 1)
        check_count("seed", seed, 0)
        if width % heads:
            raise ValueError(
                f"width: expected a multiple of {heads} heads, got {width}"
            )
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.input = nn.Linear(inputs, width)
            self.target = nn.Linear(outputs, width)
            self.nothing = nn.Parameter(
                torch.randn(width)
            )  # to attend to, always there
            layer = nn.TransformerEncoderLayer(
                width, heads, 2 * width, dropout=0.0, batch_first=True, norm_first=True
            )
            self.attention = nn.TransformerEncoder(
                layer, layers, enable_nested_tensor=False
            )
            self.output = nn.Linear(width, outputs)

    def forward(
        self,
        support_x: Tensor,
        support_y: Tensor,
        support_mask: Tensor,
        query_x: Tensor,
    ) -> Tensor:
        """Predictions [M, Q, O], from [M, K, D], [M, K, O], [M, K] and [M, Q, D]."""
        tasks, queries = query_x.shape[:2]
        observed = support_mask[..., None] == 1  # what else there is may be anything
        support_x = torch.where(observed, support_x, 0)
        support_y = torch.where(observed, support_y, 0)
        known = self.input(support_x) + self.target(support_y)
        nothing = self.nothing.expand(tasks, 1, -1)
        tokens = torch.cat([nothing, known, self.input(query_x)], dim=1)
        hidden = torch.cat(
            [
                torch.zeros_like(query_x[:, :1, 0], dtype=torch.bool),
                support_mask == 0,
                torch.ones_like(query_x[..., 0], dtype=torch.bool),
            ],
            dim=1,
        )
        read = self.attention(tokens, src_key_padding_mask=hidden)
        return self.output(read[:, -queries:])


def in_context_losses(
    model: nn.Module,
    params: Params,
    batch: TaskBatch,
    loss_fn: LossFn = mse,
    **inner: Any,
) -> Tensor:
    """Each task's query loss, [M], of a ``model`` that reads the support set.

    The ``objective`` for ``meta_train(model, ..., num_steps=0)``, with ``params`` [...]
    of a model such as :class:`InContext` and ``loss_fn`` as for ``meta_loss``; what
    belongs to inner steps, ``inner``, is not used. Raises a TypeError if ``batch`` is
    no TaskBatch.
    """
    *known, query_x, query_y, query_mask = as_tensors(batch, params)
    predictions = functional_call(model, params, (*known, query_x))

    def one(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        return score(loss_fn, prediction, target, mask)

    return vmap(one)(predictions, query_y, query_mask)


def predict_in_context(model: nn.Module, batch: TaskBatch) -> np.ndarray:
    """The predictions [M, Q, O] of ``model`` for a ``batch``, in one forward pass.

    Raises a TypeError if ``batch`` is no TaskBatch.
    """
    *known, query_x, _, _ = as_tensors(batch, dict(model.named_parameters()))
    with torch.no_grad():
        return model(*known, query_x).cpu().numpy()
