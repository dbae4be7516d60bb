"""Which question next, learned through what the answers are for (BOBCAT).

Ghosh & Lan (2021): a policy chooses questions, the student model adapts to the
answers, and the loss on answers that are never asked flows back through the adaptation
into the policy: a meta-learner whose outer loop learns what to ask. Here the adaptation
is Bayes' rule on a grid of abilities, exact and differentiable, in place of steps.

N students have answered J items, ``correct`` [N, J]; ``allowed`` [N, J] may be asked,
``target`` [N, J] is to be forecast. The student model is ``logs`` [P, 2, J], the
log-probability of a wrong and of a right answer at each of P abilities, and
``log_prior`` [P].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from refimpl.maml import mlp

Draw = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray]]


def asking_network(items: int, *, width: int = 128, seed: int) -> nn.Sequential:
    """From answers so far [N, J], 1 right, -1 wrong, 0 not asked, to logits [N, J].

    J is ``items``, ``width`` the size of both hidden layers.
    """
    return mlp(items, width, width, items, activation=nn.Tanh, seed=seed)


def posterior_means(
    asked: Tensor, correct: Tensor, logs: Tensor, log_prior: Tensor
) -> Tensor:
    """P(right) of all items [N, J], after the answers to ``asked`` items, 1 of [N, J].

    The mean over the posterior, p(theta | answers) ~ p(theta) prod_j P(y_j | theta)^w_j
    with w = ``asked``, by which it can be differentiated.
    """
    wrong, right = logs.unbind(1)  # [P, J]
    evidence = (asked * correct) @ right.T + (asked * (1 - correct)) @ wrong.T
    return (evidence + log_prior).softmax(dim=1) @ right.exp()


def choose(
    network: nn.Module, state: Tensor, allowed: Tensor, noise: Tensor | None
) -> Tensor:
    """The next question of each student, as 1 of [N, J], with a gradient.

    The likeliest of the ``allowed``, or, with Gumbel ``noise`` [N, J], one drawn from
    the softmax. Forward it is that one item; backward it is the softmax: the
    straight-through estimator (Bengio, Leonard & Courville 2013).
    """
    logits = network(state).masked_fill(allowed == 0, -torch.inf)
    soft = logits.softmax(dim=1)
    best = (logits if noise is None else logits + noise).argmax(dim=1)
    hard = nn.functional.one_hot(best, logits.shape[1]).to(soft.dtype)
    return hard + soft - soft.detach()


def asking_losses(
    network: nn.Module,
    correct: Tensor,
    allowed: Tensor,
    target: Tensor,
    logs: Tensor,
    log_prior: Tensor,
    questions: int,
    noise: Tensor | None = None,
) -> Tensor:
    """The log-loss on the target after 1, ..., T = ``questions`` answers: [T, N].

    Of the questions that ``network`` asks. ``noise`` [T, N, J] is Gumbel's, to explore;
    without it the likeliest is asked.
    """
    asked, state, losses = torch.zeros_like(correct), torch.zeros_like(correct), []
    for t in range(questions):
        step = choose(network, state, allowed, None if noise is None else noise[t])
        asked, state = asked + step, state + step * (2 * correct - 1)
        allowed = allowed * (step.detach() < 0.5)
        p = posterior_means(asked, correct, logs, log_prior)
        each = -torch.where(correct == 1, p, 1 - p).log()
        losses.append((each * target).sum(dim=1) / target.sum(dim=1))
    return torch.stack(losses)


def learn_to_ask(
    network: nn.Module,
    draw: Draw,
    logs: np.ndarray,
    log_prior: np.ndarray,
    questions: int,
    *,
    iterations: int = 1500,
    learning_rate: float = 1e-3,
    seed: int,
) -> list[float]:
    """Train ``network`` in place; the mean losses of the ``iterations``.

    ``draw`` gives one iteration's ``correct``, ``allowed`` and ``target`` [N, J]. The
    mean over students and over the ``questions`` is minimized by Adam, whose
    ``learning_rate`` falls to 0 by a half cosine. Raises a FloatingPointError if it is
    not finite.
    """
    torch_logs, prior = (torch.as_tensor(a).float() for a in (logs, log_prior))
    optimizer = torch.optim.Adam(network.parameters(), learning_rate)
    falls = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    history = []
    for i in range(iterations):
        rng = np.random.default_rng([seed, i])
        correct, allowed, target = (torch.as_tensor(a).float() for a in draw(rng))
        gumbel = rng.gumbel(size=(questions, *correct.shape))
        noise = torch.as_tensor(gumbel).float()
        loss = asking_losses(
            network, correct, allowed, target, torch_logs, prior, questions, noise
        ).mean()
        if not loss.isfinite():
            raise FloatingPointError(f"iteration {i}: the loss is {loss.item()}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falls.step()
        history.append(loss.item())
    return history


def numpy_rule(weights: dict[str, np.ndarray]) -> Callable[..., np.ndarray]:
    """The trained network as a rule of :mod:`refimpl.baselines.questions`, in NumPy.

    ``weights`` are those of :func:`asking_network` by name, as an ``.npz`` file holds
    them. A rule takes ``items`` [N, t], ``answers`` [N, t], ``allowed`` [N, J] and a
    generator, and returns the next items [N].
    """
    layers = sorted({int(name.split(".")[0]) for name in weights})

    def rule(items, answers, allowed, rng):
        state = np.zeros(allowed.shape, np.float32)
        np.put_along_axis(state, items, 2.0 * answers - 1, axis=1)
        for layer in layers:
            state = state @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
            state = np.tanh(state) if layer != layers[-1] else state
        return np.where(allowed, state, -np.inf).argmax(axis=1)

    return rule
