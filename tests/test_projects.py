"""The term papers' first hours run, and the page shows what they print."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest

from refimpl.envs import knowledge

PAGE = (Path(__file__).parent.parent / "book" / "projects.md").read_text("utf-8")
CODE = re.compile(r"```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
NUMBER = re.compile(r"-?\b\d+(?:\.\d+)?")
POINTS, LUNCH, WORLDS, VARIED = range(4)
# How far off another processor's training may be, by the number of decimals.
TOLERANCE = {POINTS: {3: 0.004, 1: 1.5}, LUNCH: {1: 1.0}, WORLDS: {3: 0.02}}


@pytest.fixture(scope="module")
def ran():
    """What each block printed, and the names it left; all are one program."""
    names, printed, left = {}, [], []
    try:
        for code, _ in CODE.findall(PAGE):
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(code, "book/projects.md", "exec"), names)
            printed.append(out.getvalue())
            left.append(dict(names))
    finally:
        slowdown, knowledge.SLOWDOWN = knowledge.SLOWDOWN, 0.1
    assert slowdown == 0.1, "a block left its world behind"
    return printed, left


def shown(block):
    return CODE.findall(PAGE)[block][1]


def numbers(text):
    return np.array(NUMBER.findall(text), float)


def rows(text):
    """The lines of a printed table, by their first words."""
    lines = re.findall(r"^(\S.*?|\d+) {2,}([-\d. ]+)$", text, re.MULTILINE)
    return {name.strip(): numbers(line) for name, line in lines}


def test_every_block_shows_what_it_prints():
    assert PAGE.count("```python") == PAGE.count("```text") == len(CODE.findall(PAGE))
    assert len(CODE.findall(PAGE)) == 4


@pytest.mark.parametrize("block", TOLERANCE)
def test_the_page_shows_what_the_code_prints(ran, block):
    printed, page = ran[0][block], shown(block)
    assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", page).split()
    pairs = zip(NUMBER.findall(printed), NUMBER.findall(page), strict=True)
    for got, expected in pairs:
        decimals = len(expected.partition(".")[2])
        allowed = TOLERANCE[block].get(decimals, 0)  # whole numbers are exact
        off = abs(float(got) - float(expected))
        assert off <= allowed, f"{printed}\ninstead of\n{page}"


def test_training_in_many_worlds_runs(ran):
    assert ran[0][VARIED] == shown(VARIED)
    assert np.isfinite(ran[1][VARIED]["history"].kl).all()


def test_the_data_are_as_the_page_says(ran):
    from irtorch import load_dataset

    points = ran[1][POINTS]["points"]
    other = load_dataset.swedish_national_mathematics_1().numpy()
    said = f"{len(points)} pupils, {points.shape[1]} items of 1 to 4 points"
    assert said in " ".join(PAGE.split())
    assert f"with {len(other)} pupils" in " ".join(PAGE.split())
    assert np.isfinite(points).all()
    assert sorted({*points.max(axis=0)}) == [1, 2, 3, 4]


def test_the_first_hour_of_points_reads_as_the_page_does(ran):
    own = ran[1][POINTS]
    error = own["pd"].DataFrame(own["rows"]).T
    assert (error["normal"] < error["student model"] - 0.002).all()
    assert (error["student model"] < error["crossed effects"]).all()
    lines = re.findall(
        r"^ ?(\d+) known, (.+?) +(\S+) \[(\S+), (\S+)\]", ran[0][POINTS], re.M
    )
    for known, rival, _, low, high in lines:
        if rival == "normal":
            assert float(high) < 0
        elif known != "2":
            assert float(low) > 0


def test_two_known_tests_leave_a_gap(ran):
    lines = rows(ran[0][LUNCH])
    _, free, others, low, _ = lines["one curve for all"]
    for name in ("direct regression", "MAML"):
        _, poor, rest, start, _ = lines[name]
        assert 0 < start < low
        assert poor - rest < (free - others) / 2
    at_first, kept = re.findall(r"(\d+)%", ran[0][LUNCH])
    assert int(kept) < int(at_first)
    own = ran[1][LUNCH]
    chosen = [set(own["score"].index[i]) for i in own["splits"].values()]
    assert not chosen[0] & chosen[1]
    assert not (chosen[0] | chosen[1]) & chosen[2]


def test_policies_lead_over_exact_bars_where_the_page_says_so(ran):
    lines = rows(ran[0][WORLDS])
    assert lines["slips doubled"][4] > 0
    for name in ("as trained", "needs matter less"):
        *_, low, high = lines[name]
        assert low < 0 < high
    forgetting, exact, learned, *_ = lines["as trained"]
    assert learned - forgetting > 0.05 > abs(learned - exact)


def test_each_number_of_the_text_was_printed():
    """Whatever has a decimal point in the prose stands in some block's output."""
    text = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    text = re.sub(r"\{doc\}`.*?`|chapters? [\d.]+", "", text, flags=re.IGNORECASE)
    known = {number for code in CODE.findall(PAGE) for number in code[1].split()}
    known = {number.strip("[],").removeprefix("-") for number in known}
    for number in re.findall(r"\d+\.\d+", text):
        assert number in known, number


def test_the_rubric_adds_up():
    points = [int(n) for n in re.findall(r"^\| [A-Z][a-z ]+ \| (\d+) \|", PAGE, re.M)]
    assert len(points) == 7
    assert sum(points) == 100
    example = " ".join(PAGE.partition("**How a paper loses points.**")[2].split())
    got = [int(n) for n in re.findall(r": (\d+)\.(?: |$)", example)]
    assert len(got) == 7
    for mine, most in zip(got, points, strict=True):
        assert mine in (0, most / 2, most)
    assert f"In all {sum(got)} of 100" in example
    mended = sum(got) + sum(p for g, p in zip(got, points, strict=True) if g == 0)
    assert f"it would have {mended}" in example
