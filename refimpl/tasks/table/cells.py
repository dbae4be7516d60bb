"""What a cell says: a gap, a number, 8 / 10, 80 %, right, or what is no score.

The same text always says the same, so only a column's different texts are read. A
long module, since the kinds of cells stand in the order in which they are tried.
"""

# ruff: noqa: RUF001 - letters of many languages
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from refimpl.tasks.table.words import (
    GAP_PATTERN,
    GAPS,
    SCORE_WORDS,
    TRUE_FALSE,
    plain,
)

if TYPE_CHECKING:
    import polars as pl

TEXT, KIND, VALUE, OUT_OF = " text", " kind", " value", " out of"
PARTED = r"\d{1,3}(?:['’ ]\d{3})+(?:[.,]\d+)?"  # as in 1'234.5
NUMBER = rf"[+-]?(?:{PARTED}|\d(?:[\d.,]*\d)?|[.,]\d+)(?:e[+-]?\d{{1,3}})?"
DATES = (
    r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ t]|$)|^\d{1,2}:\d\d(:\d\d)?( ?[ap]m)?$"
    r"|^\d{1,2}\.? [a-zä]{3,9}\.? \d{4}|^[a-z]{3,9} \d{1,2},? \d{4}"
    r"|^\d+ (mins?|secs?|hours?|days?|std|min)\b|^\d{4}年"
)
# Kinds of cells that hold a score, and what the others look like.
SCORES = ["number", "percent", "fraction", "word"]
LOOKS = {
    "true/false": "True or False",
    "letter": "a letter",
    "date": "a date or time",
    "error": "a spreadsheet's error such as #REF!",
    "ambiguous": "a number that can be read in two ways, such as 1,234",
    "marked": "a number with something before or behind it",
    "text": "words or signs that are no number",
}


def parse(texts: pl.Series, gaps: Sequence[str] = ()) -> pl.DataFrame:
    """What each of the different ``texts`` says: text, kind, value and out of.

    The kind is "gap", one of :data:`SCORES` or of :data:`LOOKS`; ``gaps`` are further
    words for a gap. A value is the number itself, 8 of "8 / 10", 0.8 of "80 %", 1 of
    "right" or "true". Whether a comma is a decimal one, all numbers tell together.
    """
    import polars as pl

    texts = texts.fill_null("").unique(maintain_order=True).alias(TEXT)
    own = pl.col("t")
    frame = texts.to_frame().with_columns(
        pl.col(TEXT)
        .str.normalize("NFKC")
        .str.strip_chars()
        .str.to_lowercase()
        .str.replace("^−", "-")
        .alias("t")
    )
    fraction = rf"^({NUMBER}) ?(?:/|of|out of|von|sur) ?({NUMBER})$"
    words = {**SCORE_WORDS, **TRUE_FALSE}
    kind = (
        pl.when(is_gap(own, gaps))
        .then(pl.lit("gap"))
        .when(own.is_in([*SCORE_WORDS]))
        .then(pl.lit("word"))
        .when(own.is_in([*TRUE_FALSE]))
        .then(pl.lit("true/false"))
        .when(own.str.contains(DATES))
        .then(pl.lit("date"))
        .when(own.str.contains(f"^{NUMBER}$"))
        .then(pl.lit("number"))
        .when(own.str.contains(f"^{NUMBER} ?%$"))
        .then(pl.lit("percent"))
        .when(own.str.contains(fraction))
        .then(pl.lit("fraction"))
        .when(own.str.contains(r"^[a-h][+-]?$"))
        .then(pl.lit("letter"))
        .when(own.str.contains(r"^#"))
        .then(pl.lit("error"))
        .when(own.str.contains(rf"^\W?{NUMBER}\W*( ?[a-z]{{1,6}}\.?)?$"))
        .then(pl.lit("marked"))
        .otherwise(pl.lit("text"))
    )
    frame = frame.with_columns(kind.alias(KIND)).with_columns(
        own.str.extract(rf"^({NUMBER})").alias("n"),
        own.str.extract(fraction, 2).alias("of"),
    )
    numeric = frame.filter(pl.col(KIND).is_in(["number", "percent", "fraction"]))
    texts_of = pl.concat([numeric["n"], numeric["of"]]).drop_nulls().unique()
    numbers = _numbers(texts_of)
    value, of = (
        pl.col(name).replace_strict(
            texts_of, numbers, default=None, return_dtype=pl.Float64
        )
        for name in ("n", "of")
    )
    word = own.replace_strict(words, default=None, return_dtype=pl.Float64)
    frame = frame.with_columns(
        pl.when(pl.col(KIND) == "percent")
        .then(value / 100)
        .when(pl.col(KIND).is_in(["number", "fraction"]))
        .then(value)
        .otherwise(word)
        .alias(VALUE),
        pl.when(pl.col(KIND) == "fraction").then(of).alias(OUT_OF),
    )
    lost = pl.col(KIND).is_in(SCORES) & (
        pl.col(VALUE).is_null() | (pl.col("of").is_not_null() & of.is_null())
    )
    many = pl.col(VALUE).is_infinite() | (pl.col(VALUE).abs() > 3e38)
    kind = pl.when(lost).then(pl.lit("ambiguous")).when(many).then(pl.lit("text"))
    return frame.select(TEXT, kind.otherwise(pl.col(KIND)).alias(KIND), VALUE, OUT_OF)


def is_gap(lower: pl.Expr, gaps: Sequence[str]) -> pl.Expr:
    """Whether a cell in small letters, ``lower``, is a gap; ``gaps`` are more words."""
    return lower.is_in([*GAPS, *map(plain, gaps)]) | lower.str.contains(GAP_PATTERN)


def _numbers(written: pl.Series) -> pl.Series:
    """The numbers; null for those that can be read in two ways, or not at all.

    A comma or point with three digits behind it, as in 1,234, may part thousands. If
    another number shows what it is for, as 2,5 or 1,234.5 do, it is that here, too.
    """
    import polars as pl

    n = written.str.replace_all("['’ ]", "").alias("n")
    group = {c: n.str.contains(rf"^[+-]?[1-9]\d{{0,2}}(\{c}\d{{3}})+$") for c in ",."}
    has = {c: n.str.contains(c, literal=True) for c in ",."}
    several = {c: n.str.count_matches(rf"\{c}") > 1 for c in ",."}
    last = {c: n.str.contains(rf"\{c}[^.,]*$") for c in ",."}
    both = has[","] & has["."]
    decimal = {c: (has[c] & ~group[c] & last[c] & ~several[c]).any() for c in ",."}
    result = n
    for c, other in ((",", "."), (".", ",")):
        parts = (both & last[other]).any() or (group[c] & several[c]).any()
        thousands = parts or (decimal[other] and not decimal[c])
        alone = group[c] & ~both
        if thousands == decimal[c]:  # nothing shows it, or both are shown
            result = result.zip_with(~alone, pl.Series([None], dtype=pl.String))
        elif thousands:
            result = result.zip_with(~alone, n.str.replace_all(c, "", literal=True))
        kept = n.str.replace_all(other, "", literal=True)
        result = result.zip_with(~(both & last[c]), kept)
    decimals = result.str.replace_all(",", ".", literal=True)
    return decimals.cast(pl.Float64, strict=False)
