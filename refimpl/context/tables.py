"""A class as a table: [M, S, I], from the examples of a TaskBatch, and back."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Tables:
    """What is known of M classes of S students and I items."""

    answers: Tensor  #: [M, S, I], 0 where nothing is known
    known: Tensor  #: [M, S, I], 1 or 0

    def count(self, axes: int | tuple[int, ...]) -> Tensor:
        """How many are known along ``axes``, at least 1, as a divisor [M, ..., 1]."""
        return self.known.sum(axes, keepdim=True).clamp(min=1)[..., None]

    def place(self, x: Tensor) -> Tensor:
        """The cell of each of ``x`` [M, K, 2], (student, item), by row: [M, K]."""
        cell = x.long()
        return cell[..., 0] * self.known.shape[2] + cell[..., 1]

    def put(self, x: Tensor, values: Tensor) -> Tensor:
        """``values`` [M, K] in the cells of ``x`` [M, K, 2], their sum: [M, S, I]."""
        flat = self.known.new_zeros(self.known.shape).flatten(1)
        return flat.scatter_add(1, self.place(x), values).view_as(self.known)

    def at(self, x: Tensor, cells: Tensor) -> Tensor:
        """What stands in the ``cells`` [M, S, I, O] of ``x`` [M, Q, 2]: [M, Q, O]."""
        place = self.place(x)[..., None].expand(-1, -1, cells.shape[3])
        return cells.flatten(1, 2).gather(1, place)


def tables_of(x: Tensor, y: Tensor, mask: Tensor, query_x: Tensor) -> Tables:
    """The known answers ``y`` [M, K, 1] of ``x`` [M, K, 2] where ``mask`` [M, K] is 1.

    S and I are the least that hold all of ``x`` and ``query_x`` [M, Q, 2]. Raises a
    ValueError if inputs are no numbers of students and items, or an answer stands twice
    or is not from 0 to 1.
    """
    cells = torch.cat([x, query_x], dim=1)
    if cells.shape[2] != 2 or (cells < 0).any() or (cells != cells.round()).any():
        raise ValueError("x: expected the numbers of a student and an item, from 0")
    told = y[..., 0] * mask
    if (told < 0).any() or (told > 1).any():
        raise ValueError("support_y: expected answers from 0 to 1")
    shape = len(x), *(cells.amax(dim=(0, 1)).long() + 1).tolist()
    empty = Tables(*(y.new_zeros(shape) for _ in range(2)))
    known = empty.put(x, mask)
    if (known > 1).any():
        raise ValueError("support_x: expected each answer of a student once")
    return Tables(empty.put(x, told), known)


def student_means(
    x: Tensor, y: Tensor, mask: Tensor, students: int
) -> tuple[Tensor, Tensor]:
    """Each student's mean answer (0 without any), and the number of answers.

    Two tensors [M, S], with S = ``students``, of answers ``y`` [M, Q, 1] to ``x``
    [M, Q, 2] where ``mask`` [M, Q] is 1.
    """
    row = x[..., 0].long()
    total, count = (
        mask.new_zeros(len(x), students).scatter_add(1, row, values)
        for values in (y[..., 0] * mask, mask)
    )
    return total / count.clamp(min=1), count
