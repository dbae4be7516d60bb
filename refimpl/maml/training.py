"""The outer loop: meta_train steps the initialization, again and again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from refimpl.maml.checkpoint import load_checkpoint, save_checkpoint
from refimpl.maml.inner import LossFn, Params
from refimpl.maml.losses import mse
from refimpl.maml.outer import task_losses
from refimpl.maml.variants import LearnedRates
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
    fast_lr: float | Params | LearnedRates = 0.01,
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
        From which every random draw comes.
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
        If a loss is NaN or infinite, before that step is taken; the message
        names the iteration and the tasks.
    ValueError
        If the checkpoint belongs to other settings or another model.
    TypeError
        If ``tasks`` does not return a TaskBatch.
    """
    params: Params = dict(model.named_parameters())
    learned = list(fast_lr.parameters()) if isinstance(fast_lr, LearnedRates) else []
    optimizer = torch.optim.Adam([*params.values(), *learned], lr=meta_lr)
    history = History()
    settings = {
        "num_steps": num_steps,
        "fast_lr": fast_lr if isinstance(fast_lr, (int, float)) else "per parameter",
        "meta_lr": meta_lr,
        "first_order": first_order,
        "seed": seed,
    }
    modules = {"model": model}
    if isinstance(fast_lr, LearnedRates):
        modules["fast_lr"] = fast_lr
    if checkpoint is not None and Path(checkpoint).exists():
        load_checkpoint(checkpoint, modules, optimizer, history, settings)

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
            fast_lr=fast_lr() if isinstance(fast_lr, LearnedRates) else fast_lr,
            num_steps=num_steps,
            first_order=first_order,
        )
        loss = losses.mean()
        history.loss.append(loss.item())
        if not math.isfinite(history.loss[-1]):
            worst = (~losses.isfinite()).nonzero().flatten().tolist()
            raise FloatingPointError(
                f"meta_train: loss {history.loss[-1]} at iteration {iteration}, from "
                f"tasks {worst} of the batch; try a smaller fast_lr or meta_lr"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

        done = iteration + 1
        if validate is not None and done % validate_every == 0:
            history.validation.append((done, validate()))
            bar.set_postfix(validation=f"{history.validation[-1][1]:.4f}")
        if checkpoint is not None and (
            done % checkpoint_every == 0 or done == iterations
        ):
            save_checkpoint(checkpoint, modules, optimizer, history, settings)
    return history
