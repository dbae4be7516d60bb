"""What can be read, but should be looked at: gaps, zeros, names, scales."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from refimpl.tasks.table.cells import KIND, TEXT
from refimpl.tasks.table.files import ROW
from refimpl.tasks.table.notes import Notes
from refimpl.tasks.table.options import UNKNOWN, Options
from refimpl.tasks.table.wide import ITEM, SCORE, STUDENT
from refimpl.tasks.table.words import QUIET_GAPS, plain

if TYPE_CHECKING:
    import polars as pl

ENOUGH = 4  # answers, all of them zero, that are worth a look


def say_gaps(counts: pl.DataFrame, parsed: pl.DataFrame, notes: Notes) -> None:
    """Say which words count as no answer, and how often; and of HINT, as wrong.

    ``counts`` has the number of cells, "len", with each text, ``parsed`` what each
    text says; ``notes`` gets the sentences.
    """
    import polars as pl

    gaps = counts.join(
        parsed.filter(pl.col(KIND) == "gap"), left_on=SCORE, right_on=TEXT
    )
    quiet, words = 0, dict[str, int]()
    for text, n in gaps.select(SCORE, "len").rows():
        word = re.sub(r"\d[\d.,]*", "…", text.strip())
        if plain(text) in QUIET_GAPS:
            quiet += n
        else:
            words[word] = words.get(word, 0) + n
    if quiet:
        notes.say(f"{quiet} cells are empty, NA or '-': no answer, not a wrong one.")
    hints = parsed.filter(
        pl.col(KIND) == "word", pl.col(TEXT).str.to_lowercase() == "hint"
    )
    hint = counts.join(hints, left_on=SCORE, right_on=TEXT)["len"].sum()
    if words:
        listed = ", ".join(f"{word!r} ({n})" for word, n in sorted(words.items()))
        notes.warn(f"Counted as no answer, not as wrong: {listed}.")
    if hint:
        notes.warn(
            f"Counted as wrong: 'HINT' ({hint}), a student who asked for help. To "
            "leave these out, say gaps=['hint']."
        )


def suspect(
    coded: pl.DataFrame,
    students: pl.DataFrame,
    options: Options,
    notes: Notes,
) -> None:
    """Warn about what is probably not meant, naming rows but no student.

    ``coded`` are the answers, ``students`` their identifiers with the first rows,
    ``options`` what the caller said; ``notes`` gets the warnings.
    """
    import polars as pl

    same = students.group_by(_skeleton(pl.col(STUDENT))).agg(pl.col(ROW).sort())
    same = same.filter(pl.col(ROW).list.len() > 1)
    if twins := sorted(same[ROW].to_list()):
        listed = "; ".join("rows " + " and ".join(map(str, r[:3])) for r in twins[:3])
        more = f" and {len(twins) - 3} more" if len(twins) > 3 else ""
        notes.warn(
            "The same student, written in two ways? Capitals, accents, spaces or zeros "
            f"in front differ: {listed}{more}. They count as two."
        )
    own = coded.group_by(STUDENT).agg(
        pl.len().alias("n"), pl.col(SCORE).max().alias("most"), pl.col(ROW).min()
    )
    zeros = own.filter(pl.col("n") >= ENOUGH, pl.col("most") == 0)[ROW].sort().to_list()
    if zeros and len(zeros) < len(own):
        listed = ", ".join(map(str, zeros[:5])) + (", …" if len(zeros) > 5 else "")
        notes.warn(
            f"{len(zeros)} students have nothing but zeros (rows {listed}). Were they "
            "absent? Then empty the cells: a zero counts as wrong."
        )
    score = coded[SCORE]
    maximum = options.maximum
    if isinstance(maximum, (int, float)) and maximum != UNKNOWN:
        if (score < 0.5).all() and len(score) >= 20:
            notes.warn(
                f"No score is above half of maximum={maximum:g}: is that the maximum?"
            )
        low = coded.group_by(ITEM).agg(pl.len(), pl.col(SCORE).max())
        low = low.filter(pl.col("len") >= ENOUGH, pl.col(SCORE) < 0.25)
        if len(low) and (score > 0.5).any():
            notes.warn(
                f"In {len(low)} items no score is above a quarter of "
                f"maximum={maximum:g}. If they are out of fewer points, say it for "
                'each item, as maximum={"item": 5}.'
            )
        _codes(coded, maximum, notes)


def _codes(coded: pl.DataFrame, maximum: float, notes: Notes) -> None:
    """Warn about scores that begin at 1: marks of which 1 is the best, or codes."""
    import polars as pl

    points = coded.select(ITEM, (pl.col(SCORE) * maximum).round(4))
    items = points.group_by(ITEM).agg(
        pl.col(SCORE).min().alias("low"),
        pl.col(SCORE).max().alias("high"),
        pl.col(SCORE).n_unique().alias("values"),
        pl.len().alias("n"),
    )
    odd = items.filter(pl.col("low") == 1, pl.col("n") >= 6, pl.col("high") <= 7)
    if len(odd) > 0.5 * len(items) or len(odd.filter(pl.col("values") == 2)):
        notes.warn(
            f"In {len(odd)} of {len(items)} items no score is below 1: are they marks, "
            "of which 1 is the best, or codes such as 1 and 2? Shares need points."
        )


def _skeleton(text: pl.Expr) -> pl.Expr:
    """What is left of identifiers without capitals, accents, signs and zeros."""
    import polars as pl

    bare = (
        text.str.normalize("NFKD")
        .str.to_lowercase()
        .str.replace_all(r"[\p{M}\p{C}]", "")
    )
    bare = bare.str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
    number = bare.str.contains(r"^\d+$")
    bare = pl.when(number).then(bare.str.strip_chars_start("0")).otherwise(bare)
    return pl.when(bare == "").then(text).otherwise(bare)
