"""The outer loop: meta_train steps the initialization, again and again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from refimpl.maml.checkpoint import load_checkpoint, save_checkpoint
from refimpl.maml.inner import FastLr, LossFn, Params
from refimpl.maml.losses import mse
from refimpl.maml.outer import task_losses
from refimpl.tasks import TaskBatch


@dataclass
class History:
    """What ``meta_train`` reports.

    Attributes
    ----------
    loss : list of float
        The meta-loss of each iteration, before its step.
    validation : list of (int, float)
        Iterations done, and the score that ``validate`` then returned.
    """

    loss: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)


def meta_train(
    model: nn.Module,
    tasks: Callable[[np.random.Generator], TaskBatch],
    num_steps: int = 5,
    fast_lr: FastLr = 0.01,
    meta_lr: float = 0.001,
    *,
    iterations: int,
    seed: int,
    loss_fn: LossFn = mse,
    first_order: bool = False,
    validate: Callable[[], float] | None = None,
    validate_every: int = 100,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
) -> History:
    """Learn an initialization from which ``num_steps`` steps do well on new tasks.

    theta <- theta - beta grad_theta (1/M) sum_i L_i(theta_i'; query_i), with
    Adam's step: algorithm 1 of Finn, Abbeel & Levine (2017). The model (and
    the learned rates, if any) are changed in place.

    Parameters
    ----------
    model : nn.Module
        Holds theta: where training starts, and afterwards what it learned.
    tasks : rng -> TaskBatch
        Draws the tasks of one iteration. The generator is made anew from
        ``(seed, iteration)`` each time, so a resumed run draws what an
        uninterrupted one does.
    num_steps, fast_lr, loss_fn, first_order
        The inner loop, as for :func:`adapt`. Rates given as
        :class:`LearnedRates` are learned together with theta.
    meta_lr : float
        beta, Adam's learning rate.
    iterations : int
        Outer steps in all, those before resuming included.
    seed : int
        Of the generators that ``tasks`` gets. (Dropout inside a model draws
        from PyTorch's global generator instead.)
    validate : () -> float, optional
        Called every ``validate_every`` iterations; its score is recorded.
    checkpoint : path, optional
        A safetensors file, written whole every ``checkpoint_every`` iterations
        and at the end. If it is there already, training goes on from it, and
        ends exactly where an uninterrupted run would.

    Returns
    -------
    History

    Raises
    ------
    FloatingPointError
        If a loss or the meta-gradient is NaN or infinite, before that step is
        taken; the message names the iteration and the tasks.
    ValueError
        If the checkpoint belongs to other settings or another model, or has
        more than ``iterations`` behind it.
    TypeError
        If ``tasks`` does not return a TaskBatch.
    """
    params: Params = dict(model.named_parameters())
    modules = {"model": model}
    if isinstance(fast_lr, nn.Module):
        modules["fast_lr"] = fast_lr
    elif isinstance(fast_lr, dict) and any(r.requires_grad for r in fast_lr.values()):
        raise ValueError("fast_lr: rates in a dict stay as they are; use LearnedRates")
    trained = [p for module in modules.values() for p in module.parameters()]
    optimizer = torch.optim.Adam(trained, lr=meta_lr)
    history = History()
    settings = {
        "model": repr(model),
        "num_steps": int(num_steps),
        "fast_lr": _describe(fast_lr),
        "meta_lr": float(meta_lr),
        "seed": int(seed),
        "loss_fn": getattr(loss_fn, "__qualname__", repr(loss_fn)),
        "first_order": bool(first_order),
    }
    if checkpoint is not None:
        checkpoint = Path(checkpoint)
        if checkpoint.exists():
            load_checkpoint(checkpoint, modules, optimizer, history, settings)
        elif not checkpoint.parent.is_dir():
            raise FileNotFoundError(f"checkpoint: no folder {checkpoint.parent}")
    if len(history.loss) > iterations:
        raise ValueError(
            f"iterations: expected {len(history.loss)} or more, as many as the "
            f"checkpoint has behind it, got {iterations}"
        )

    bar = tqdm(range(len(history.loss), iterations), desc="meta-training")
    for iteration in bar:
        batch = tasks(np.random.default_rng([seed, iteration]))
        if not isinstance(batch, TaskBatch):
            raise TypeError(f"tasks: expected it to return a TaskBatch, got {batch!r}")
        losses = task_losses(
            model,
            params,
            batch,
            loss_fn,
            fast_lr=fast_lr,
            num_steps=num_steps,
            first_order=first_order,
        )
        loss = losses.mean()
        optimizer.zero_grad()
        loss.backward()
        _check_finite(iteration, losses, trained)
        optimizer.step()
        history.loss.append(loss.item())

        done = iteration + 1
        if validate is not None and done % validate_every == 0:
            history.validation.append((done, float(validate())))
            bar.set_postfix(validation=f"{history.validation[-1][1]:.4f}")
        if checkpoint is not None and (
            done % checkpoint_every == 0 or done == iterations
        ):
            save_checkpoint(checkpoint, modules, optimizer, history, settings)
    return history


def _check_finite(iteration: int, losses: Tensor, trained: list[nn.Parameter]) -> None:
    """Raise if a task's loss or the meta-gradient is NaN or infinite."""
    if not losses.isfinite().all():
        tasks = (~losses.isfinite()).nonzero().flatten().tolist()
        raise FloatingPointError(
            f"meta_train: the loss is not finite at iteration {iteration}, for tasks "
            f"{tasks} of the batch; try a smaller fast_lr or meta_lr"
        )
    gradients = [p.grad for p in trained if p.grad is not None]
    if not math.isfinite(torch.nn.utils.get_total_norm(gradients)):
        raise FloatingPointError(
            f"meta_train: the meta-gradient is not finite at iteration {iteration}, "
            "though the loss is; look for a square root or a logarithm at 0"
        )


def _describe(fast_lr: FastLr) -> Any:
    """The inner rates as a checkpoint's settings name them."""
    if isinstance(fast_lr, nn.Module):
        return repr(fast_lr)
    if isinstance(fast_lr, dict):
        return {name: rate.tolist() for name, rate in fast_lr.items()}
    return float(fast_lr)
