"""A class as a table: [M, S, I], from the examples of a TaskBatch, and back."""

from dataclasses import dataclass

import torch
from torch import Tensor

MOST_CELLS = 10_000_000  # of a table; a student's number is its row


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

    def asked(self, x: Tensor, mask: Tensor) -> Tensor:
        """The cells of ``x`` [M, Q, 2] that ``mask`` [M, Q] asks, [M, S, I].

        Raises a ValueError if an answer is asked twice, or is known.
        """
        asked = self.put(x, mask)
        if (asked + self.known > 1).any():
            raise ValueError("query_x: expected each asked answer once, and not known")
        return asked


def tables_of(x: Tensor, y: Tensor, mask: Tensor, query_x: Tensor) -> Tables:
    """The known answers ``y`` [M, K, 1] of ``x`` [M, K, 2] where ``mask`` [M, K] is 1.

    S and I are the least that hold these and ``query_x`` [M, Q, 2]. Raises a ValueError
    if shapes do not fit, inputs are no numbers of students and items, or an answer
    stands twice or is not from 0 to 1.
    """
    if x.ndim != 3 or x.shape[2] != 2 or query_x.shape[2:] != (2,):
        raise ValueError(
            "support_x, query_x: expected [M, K, 2], a student and an item, got shapes "
            f"{[*x.shape]} and {[*query_x.shape]}"
        )
    if y.shape != (*x.shape[:2], 1):
        raise ValueError(
            f"support_y: expected shape {[*x.shape[:2], 1]}, got {[*y.shape]}"
        )
    x = torch.where(mask[..., None] == 1, x, 0)  # an empty place holds anything
    cells = torch.cat([x, query_x], dim=1)
    if not cells.numel() or (cells < 0).any() or (cells != cells.round()).any():
        raise ValueError("x: expected the numbers of a student and an item, from 0")
    told = torch.where(mask == 1, y[..., 0], 0)
    if (told < 0).any() or (told > 1).any():
        raise ValueError("support_y: expected answers from 0 to 1")
    students, items = (cells.amax(dim=(0, 1)).double() + 1).tolist()
    if students * items > MOST_CELLS:
        raise ValueError(
            "x: expected students and items numbered from 0 without gaps, got numbers "
            f"up to {students - 1:.0f} and {items - 1:.0f}"
        )
    shape = len(x), int(students), int(items)
    empty = Tables(*(y.new_zeros(shape) for _ in range(2)))
    known = empty.put(x, mask.to(y.dtype))
    if (known > 1).any():
        raise ValueError("support_x: expected each answer of a student once")
    return Tables(empty.put(x, told), known)


def student_means(
    x: Tensor, y: Tensor, mask: Tensor, students: int
) -> tuple[Tensor, Tensor]:
    """Each student's mean answer (0 without any), and the number of answers.

    Two tensors [M, S], with S = ``students``, of answers ``y`` [M, Q, 1] to ``x``
    [M, Q, 2] where ``mask`` [M, Q] is 1. Raises a ValueError if one of these is not
    from 0 to 1.
    """
    told = torch.where(mask == 1, y[..., 0], 0)
    if (told < 0).any() or (told > 1).any():
        raise ValueError("query_y: expected answers from 0 to 1")
    row = torch.where(mask == 1, x[..., 0], 0).long()
    total, count = (
        told.new_zeros(len(x), students).scatter_add(1, row, values.to(told.dtype))
        for values in (told, mask)
    )
    return total / count.clamp(min=1), count
