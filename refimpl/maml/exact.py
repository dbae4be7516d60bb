"""Second derivatives that are right, where PyTorch's own are not.

Under :func:`torch.func.vmap` the second derivatives of layer and instance norm leave
out that mean and deviation depend on the input, and an embedding's padding row gets
some; attention's fused kernels have none at all, nor have bags of embeddings, nor
cuDNN's recurrent layers. Inside of :func:`exact` each of these is computed in another
way, whose derivatives are right.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, as PyTorch has it
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode


def _layer_norm(
    input: Tensor,
    normalized_shape: list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """As :func:`torch.nn.functional.layer_norm`, which takes ``input`` [..., D]."""
    dims = tuple(range(-len(normalized_shape), 0))
    return _affine(_standardized(input, dims, eps), weight, bias)


def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As :func:`torch.nn.functional.instance_norm`, which takes ``input`` [K, C, ...].

    Raises a ValueError if it should keep running statistics.
    """
    if not use_input_stats:
        return F.batch_norm(input, running_mean, running_var, weight, bias, eps=eps)
    if running_mean is not None:
        raise ValueError("model: expected instance norm without running statistics")
    dims = tuple(range(2, input.ndim))
    along = (1, -1) + (1,) * len(dims)
    own = [w if w is None else w.view(along) for w in (weight, bias)]
    return _affine(_standardized(input, dims, eps), *own)


def _embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """As its namesake: rows [..., D] of ``weight`` [V, D].

    Raises a ValueError if rows should be shortened in place, or counted."""
    if max_norm is not None or scale_grad_by_freq:
        raise ValueError("model: expected an embedding without max_norm and counts")
    if padding_idx is not None:
        rows = torch.arange(len(weight), device=weight.device)[:, None]
        weight = torch.where(rows == padding_idx % len(weight), weight.detach(), weight)
    return F.embedding(input, weight)


def _embedding_bag(
    input: Tensor,
    weight: Tensor,
    *,
    mode: str = "mean",
    per_sample_weights: Tensor | None = None,
    **others: Any,
) -> Tensor:
    """As :func:`torch.nn.functional.embedding_bag`, of bags ``input`` [K, L].

    Raises a ValueError if bags have offsets or padding, or rows should be changed.
    """
    unlike = ("offsets", "padding_idx", "max_norm", "scale_grad_by_freq")
    if given := [n for n in unlike if not (others[n] is None or others[n] is False)]:
        raise ValueError(f"model: expected bags [K, L] without {given}")
    rows = F.embedding(input, weight)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights[..., None]
    return rows.max(1).values if mode == "max" else getattr(rows, mode)(1)


def _without_cudnn(kernel: Callable) -> Callable:
    def run(*args: Any, **kwargs: Any) -> Any:
        with torch.backends.cudnn.flags(enabled=False):
            return kernel(*args, **kwargs)

    return run


def _standardized(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    centered = x - x.mean(dims, keepdim=True)
    return centered * (centered.square().mean(dims, keepdim=True) + eps).rsqrt()


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _refused(*args: Any, **kwargs: Any) -> Any:
    raise ValueError(
        "model: expected layer_norm, instance_norm and embedding from "
        "torch.nn.functional: those of torch itself have wrong second derivatives"
    )


OURS: dict[Any, Callable] = {
    torch.layer_norm: _refused,
    torch.native_layer_norm: _refused,
    torch.instance_norm: _refused,
    torch.embedding: _refused,
    F.layer_norm: _layer_norm,
    F.instance_norm: _instance_norm,
    F.embedding: _embedding,
    F.embedding_bag: _embedding_bag,
}
for _kernel in (torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu):
    OURS[_kernel] = _without_cudnn(_kernel)


class _Replaced(TorchFunctionMode):
    """Calls of these functions of PyTorch's become calls of ours."""

    def __torch_function__(
        self, func: Callable, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return OURS.get(func, func)(*args, **(kwargs or {}))


@contextmanager
def exact() -> Iterator[None]:
    """Inside of it, models have right second derivatives."""
    with sdpa_kernel(SDPBackend.MATH), _Replaced():
        yield
