"""Does a model know each example alone? Padding must not show, nor one's neighbors."""

import torch
from torch import Tensor, nn

from refimpl.maml.arguments import Params
from refimpl.maml.exact import exact
from refimpl.maml.forward import forward
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
        return torch.allclose(one[-1], other[-1], rtol=1e-3, atol=1e-6, equal_nan=True)

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
