"""A network that reads a class's table, and forecasts the answers that are missing.

In one forward pass, without fitting: meta-training on thousands of classes has shown it
what tables look like. A long module: layer, network, what training minimizes, and use.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from refimpl.checks import check_count
from refimpl.context.intervals import check_reader, ends_of, interval_loss
from refimpl.context.tables import Tables, tables_of
from refimpl.maml.arguments import Params
from refimpl.maml.over_tasks import as_tensors
from refimpl.tasks import TaskBatch


class ExchangeableLayer(nn.Module):
    """A layer that treats all students alike, and all items (Hartford et al. 2018).

    Each cell of a table gets its own old state h, the mean state of its row's known
    cells, of its column's, and of all: h + W gelu(W1 h + W2 row + W3 column + W4 all).
    A state has ``width`` numbers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.cell, self.row, self.column = (
            nn.Linear(width, width, bias=False) for _ in range(3)
        )
        self.all = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, state: Tensor, table: Tables) -> Tensor:
        """From [M, S, I, width] to the same."""
        now = self.norm(state)
        known = now * table.known[..., None]
        rows, columns = known.sum(2, keepdim=True), known.sum(1, keepdim=True)
        every = self.all(rows.sum(1, keepdim=True) / table.count((1, 2)))
        row = self.row(rows / table.count(2)) + every
        column = self.column(columns / table.count(1))
        return state + self.out(nn.functional.gelu(self.cell(now) + row + column))


class ClassModel(nn.Module):
    """From a class's known answers to a forecast of each answer that is asked.

    Inputs are (student, item), targets from 0 to 1: the answers of a class, as
    :func:`~refimpl.tasks.class_batch.class_batch` makes them. Only known answers have
    an influence; neither the order of students counts nor that of items. It says how
    sure it is, too: :func:`read_class` has an interval for each student's mean.

    Parameters
    ----------
    width, layers : int
        Of the :class:`ExchangeableLayer` layers.
    seed : int
        Fixes the initial weights.

    Raises
    ------
    TypeError, ValueError
        If a size or the seed is no count, or ``width`` below 2.
    """

    def __init__(self, width: int = 64, layers: int = 5, *, seed: int) -> None:
        check_count("width", width, 2)
        check_count("layers", layers, 1)
        check_count("seed", seed, 0)
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.input = nn.Linear(5, width)
            self.layers = nn.ModuleList(ExchangeableLayer(width) for _ in range(layers))
            self.norm = nn.LayerNorm(width)
            self.output = nn.Linear(width, 1)
            self.spread = nn.Sequential(
                nn.Linear(2 * width + 2, 32), nn.GELU(), nn.Linear(32, 2)
            )
        #: what intervals are stretched by, so that they cover what they should
        self.register_buffer("stretch", torch.ones(()))

    def states(self, table: Tables) -> Tensor:
        """What it has made of each cell of ``table``, [M, S, I, width]."""
        known = table.known
        counts = [
            known.sum(axes, keepdim=True).log1p().expand_as(known)
            for axes in (2, 1, (1, 2))
        ]
        told = [(2 * table.answers - 1) * known, known]
        state = self.input(torch.stack([*told, *counts], dim=3))
        for layer in self.layers:
            state = layer(state, table)
        return self.norm(state)

    def forward(
        self,
        support_x: Tensor,
        support_y: Tensor,
        support_mask: Tensor,
        query_x: Tensor,
        query_mask: Tensor | None = None,
    ) -> Any:
        """Logits [M, Q, 1], from [M, K, 2], [M, K, 1], [M, K] and [M, Q, 2].

        With ``query_mask`` [M, Q] also what is expected of students, [M, S, 3]: the
        mean of their answers that it asks (NaN without any), and how far an interval
        goes below and above it. Raises a ValueError if shapes do not fit, inputs are no
        numbers of students and items, an answer stands twice, is known and asked, or is
        not from 0 to 1.
        """
        if query_mask is not None:
            odd = (query_x < 0) | (query_x != query_x.round())  # an empty place may be
            query_x = torch.where(odd & (query_mask[..., None] == 0), 0, query_x)
        table = tables_of(support_x, support_y, support_mask, query_x)
        states = self.states(table)
        cells = self.output(states)
        logits = table.at(query_x, cells)
        if query_mask is None:
            return logits
        asked = table.asked(query_x, query_mask)
        return logits, self.means(states, cells[..., 0].sigmoid(), table.known, asked)

    def means(
        self, states: Tensor, chance: Tensor, known: Tensor, asked: Tensor
    ) -> Tensor:
        """Students' means, and so many times the luck of the draw to each side.

        [M, S, 3], from the ``states`` [M, S, I, width] of all cells and, each of
        [M, S, I], the ``chance`` to be right, what is ``known`` and what is ``asked``.
        """
        count = asked.sum(2)
        some = count.clamp(min=1)
        mean = (chance * asked).sum(2) / some
        luck = ((chance * (1 - chance) * asked).sum(2) / some**2 + 1e-6).sqrt()
        rows = [
            (states * cells[..., None]).sum(2) / cells.sum(2).clamp(min=1)[..., None]
            for cells in (asked, known)
        ]
        facts = torch.stack([count.log1p(), luck.log()], dim=2)
        times = nn.functional.softplus(self.spread(torch.cat([*rows, facts], dim=2)))
        found = torch.cat([mean[..., None], times * luck[..., None]], dim=2)
        return torch.where(count[..., None] > 0, found, torch.nan)


def class_losses(
    model: nn.Module, params: Params, batch: TaskBatch, **inner: Any
) -> Tensor:
    """What training minimizes, [M]: the log-loss, and that of the intervals.

    The ``objective`` for ``meta_train(model, ..., num_steps=0)`` of a
    :class:`ClassModel`, with ``params`` [...]; what belongs to inner steps, ``inner``,
    is not used. Raises a TypeError if ``batch`` is no TaskBatch.
    """
    *inputs, query_y, query_mask = as_tensors(batch, params)
    logits, found = functional_call(model, params, (*inputs, query_mask))
    target = torch.where(query_mask == 1, query_y[..., 0], 0)
    each = nn.functional.binary_cross_entropy_with_logits(
        logits[..., 0], target, reduction="none"
    )
    log_loss = (each * query_mask).sum(1) / query_mask.sum(1).clamp(min=1)
    return log_loss + interval_loss(found, inputs[3], query_y, query_mask)


def read_class(model: ClassModel, batch: TaskBatch) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts [M, Q, 1], from 0 to 1, and the ends of students' intervals [M, S, 2].

    In one forward pass. Once ``model`` is calibrated, an interval holds the mean of a
    student's asked answers in four of five cases, over students of classes like those
    of its calibration; it is cut at 0 and 1, and NaN where nothing is asked. Raises a
    TypeError if ``model`` is no ClassModel or ``batch`` no TaskBatch, a ValueError as
    :meth:`ClassModel.forward`.
    """
    check_reader(model)
    *inputs, _, query_mask = as_tensors(batch, dict(model.named_parameters()))
    with torch.no_grad():
        logits, found = model(*inputs, query_mask)
        ends = ends_of(found, model.get_buffer("stretch"))
    return logits.sigmoid().cpu().numpy(), ends.clamp(0, 1).cpu().numpy()
