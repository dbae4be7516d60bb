"""A teacher's own file: the right tasks or a clear error; never a student's name."""

import csv
import io
import pickle
import traceback
import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refimpl.tasks import GradebookTasks
from refimpl.tasks.ragged import scatter
from refimpl.tasks.table import header, words

LONG = {"student": "pupil", "item": "question", "score": "points"}
NAMES = [f"Xaver-Zacharias {letter}" for letter in "ABCDEFGHIJKLMNOPQRST"]
QUESTIONS = [f"q{number}" for number in range(8)]
# 20 pupils x 8 questions, right or wrong, not the same for all.
ANSWERS = [
    (n, q, (i * j + i) % 2)
    for i, n in enumerate(NAMES)
    for j, q in enumerate(QUESTIONS)
]


def rng(seed=0):
    return np.random.default_rng(seed)


def long_csv(rows=ANSWERS, header=("pupil", "question", "points"), separator=","):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(
        [header, *rows]
    )
    return text.getvalue()


def wide_csv(rows=ANSWERS):
    table = {}
    for name, question, score in rows:
        table.setdefault(name, {})[question] = score
    body = [[name, *(own.get(q, "") for q in QUESTIONS)] for name, own in table.items()]
    return long_csv(body, ("pupil", *QUESTIONS))


@pytest.fixture
def load(tmp_path):
    def load(content, *, name="class.csv", **arguments):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return GradebookTasks(path, **arguments)

    return load


def observed(tasks, shots=2):
    """{(student's number, item's name, time's place or None): score}, each once."""
    found = []
    for split, students in tasks.splits.items():
        task, x, y = tasks.all(shots, split, rng()).observed()
        found += [
            (int(students[t]), tasks.items[int(i)], float(s))
            for t, i, s in zip(task, x[:, 0], y[:, 0], strict=True)
        ]
    return sorted(found)


def expected(rows=ANSWERS):
    numbers = {name: n for n, name in enumerate(dict.fromkeys(r[0] for r in rows))}
    return sorted((numbers[n], q, float(np.float32(s))) for n, q, s in rows)


def same_batches(one, other):
    assert one.items == other.items
    for split in one.splits:
        a, b = one.all(3, split, rng(5)), other.all(3, split, rng(5))
        for name in vars(a):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


# ---------------------------------------------------------------- the right tasks


def test_every_answer_is_there_once(load):
    tasks = load(long_csv(), **LONG)
    assert observed(tasks) == expected()
    assert tasks.items == QUESTIONS
    assert tasks.binary
    assert tasks.left_out == {"students": 0, "answers": 0}


def test_splits_are_by_student_and_disjoint(load):
    tasks = load(long_csv(), **LONG)
    assert {k: len(v) for k, v in tasks.splits.items()} == {
        "train": 14,
        "validation": 3,
        "test": 3,
    }
    assert sorted(np.concatenate([*tasks.splits.values()])) == [*range(20)]


def test_support_and_query_share_no_answer_and_empty_places_hold_zeros(load):
    rows = [row for i, row in enumerate(ANSWERS) if i % 11]  # unequal numbers
    batch = load(long_csv(rows), **LONG).all(3, "train", rng())
    for i in range(len(batch)):
        known = set(batch.support_x[i, batch.support_mask[i] == 1, 0])
        asked = set(batch.query_x[i, batch.query_mask[i] == 1, 0])
        assert len(known) == 3
        assert not known & asked
    empty = batch.query_mask == 0
    assert empty.any()
    assert (batch.query_x[empty] == 0).all()
    assert (batch.query_y[empty] == 0).all()


def test_without_shots_there_is_one_empty_support_place(load):
    batch = load(long_csv(), **LONG).all(0, "test", rng())
    assert batch.support_x.shape == (3, 1, 1)
    assert (batch.support_mask == 0).all()
    assert (batch.query_mask.sum(axis=1) == 8).all()


def test_draws_depend_on_the_seed_alone(load):
    tasks = load(long_csv(), **LONG)
    one, same, other = (tasks.sample(6, 5, "train", rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.support_x, same.support_x)
    assert (one.support_x != other.support_x).any()


def test_long_and_wide_are_the_same(load):
    rows = [row for i, row in enumerate(ANSWERS) if i % 7]
    long = load(long_csv(rows), **LONG)
    wide = load(wide_csv(rows), student="pupil", name="w.csv")
    assert observed(long) == observed(wide) == expected(rows)


def test_students_and_items_stand_in_the_order_of_the_file(load):
    shuffled = [ANSWERS[i] for i in rng().permutation(len(ANSWERS))]
    tasks = load(long_csv(shuffled), **LONG)
    assert observed(tasks) == expected(shuffled)
    assert tasks.items == [*dict.fromkeys(question for _, question, _ in shuffled)]
    backwards = [row[::-1] for row in csv.reader(io.StringIO(wide_csv()))]
    wide = load(long_csv(backwards[1:], backwards[0]), student="pupil")
    assert wide.items == QUESTIONS[::-1]
    np.testing.assert_array_equal(
        wide.table()[:, ::-1], load(wide_csv(), student="pupil").table()
    )


@pytest.mark.parametrize("score", [int, float, bool, str])
def test_csv_and_parquet_are_the_same(load, tmp_path, score):
    rows = [(n, q, score(s)) for n, q, s in ANSWERS]
    table = pl.DataFrame(rows, schema=["pupil", "question", "points"], orient="row")
    table.write_parquet(tmp_path / "class.parquet")
    same_batches(
        GradebookTasks(tmp_path / "class.parquet", **LONG), load(long_csv(rows), **LONG)
    )


def test_wide_parquet_of_mixed_types(load, tmp_path):
    columns = {"pupil": range(20)}
    for j, question in enumerate(QUESTIONS):
        own = [ANSWERS[8 * i + j][2] for i in range(20)]
        columns[question] = own if j % 2 else [bool(score) for score in own]
    pl.DataFrame(columns).write_parquet(tmp_path / "anything.data")
    tasks = GradebookTasks(tmp_path / "anything.data", student="pupil", maximum=1)
    assert observed(tasks) == expected(
        [(str(NAMES.index(n)), q, s) for n, q, s in ANSWERS]
    )


def test_rows_lead_back_to_the_students(load):
    shuffled = [ANSWERS[i] for i in rng().permutation(len(ANSWERS))]
    tasks = load(long_csv(shuffled), **LONG)
    lines = long_csv(shuffled).splitlines()
    names = [*dict.fromkeys(name for name, _, _ in shuffled)]
    assert [lines[row - 1].split(",")[0] for row in tasks.rows] == names
    assert all(
        name not in "".join(lines[1 : row - 1])
        for name, row in zip(names, tasks.rows, strict=True)
    )


# ------------------------------------------------------------------------- time


@pytest.mark.parametrize(
    "times",
    [
        ["10", "9", "8,5", "7", "-1", "5e0", "4.5", "3"],  # as text, "10" comes first
        [f"2026-0{9 - j}-15" for j in range(8)],
        [f"2026-03-01 0{9 - j}:05" for j in range(8)],
        [f"2026-03-01T0{9 - j}:05:00.5Z" for j in range(8)],
    ],
)
def test_the_first_answers_in_time_are_known(load, times):
    values = [10, 9, 8.5, 7, -1, 5, 4.5, 3] if times[0] == "10" else range(8, 0, -1)
    order = np.argsort(values)
    rows = [(n, q, s, times[QUESTIONS.index(q)]) for n, q, s in ANSWERS]
    shuffled = [rows[i] for i in rng().permutation(len(rows))]
    content = long_csv(shuffled, ("pupil", "question", "points", "when"))
    tasks = load(content, **LONG, time="when")
    order = [tasks.items.index(QUESTIONS[j]) for j in order]
    batch = tasks.all(3, "train", rng())
    np.testing.assert_array_equal(batch.support_x[..., 0], [order[:3]] * 14)
    np.testing.assert_array_equal(batch.query_x[..., 0], [order[3:]] * 14)


@pytest.mark.parametrize("score", [[1], b"\xff"])
def test_parquet_cells_that_are_no_text(tmp_path, score):
    rows = [(n, q, score) for n, q, _ in ANSWERS]
    table = pl.DataFrame(rows, schema=["pupil", "question", "points"], orient="row")
    table.write_parquet(tmp_path / "class.parquet")
    with pytest.raises(ValueError, match="path: the table is damaged, or has cells"):
        GradebookTasks(tmp_path / "class.parquet", **LONG)


def test_an_item_may_be_answered_again_at_another_time_only(load):
    header = ("pupil", "question", "points", "when")
    rows = [(*row, 1) for row in ANSWERS]
    again = [*rows, (NAMES[0], "q0", 1, 2)]
    assert len(observed(load(long_csv(again, header), **LONG, time="when"))) == 161
    with pytest.raises(ValueError, match="see rows 2, 162.*say attempts='first'"):
        load(long_csv(again, header), **LONG)
    twice = [*rows, (NAMES[0], "q0", 1, 1)]
    with pytest.raises(ValueError, match="at a time, .*see rows 2, 162"):
        load(long_csv(twice, header), **LONG, time="when")


@pytest.mark.parametrize(
    ("attempts", "time", "score"),
    [
        ("first", None, 0.5),
        ("last", None, 0.25),
        ("best", None, 1),
        ("first", "when", 0.25),
        ("last", "when", 1),
        (None, "when", 1),
    ],
)
def test_attempts(load, attempts, time, score):
    rows = [(*row, 1) for row in ANSWERS[1:]]
    own = [(NAMES[0], "q0", s, t) for s, t in ((0.5, 3), (1, 4), (0.25, 2))]
    content = long_csv(own + rows, ("pupil", "question", "points", "when"))
    tasks = load(content, **LONG, time=time, attempts=attempts, maximum=1)
    assert tasks.table()[0, 0] == score
    assert any("2 repeated answers" in n for n in tasks.notes) == bool(attempts)


def test_an_answer_that_stands_twice_counts_once(load):
    with pytest.warns(UserWarning, match="5 answers stand .* more than once"):
        tasks = load(long_csv(ANSWERS + ANSWERS[8:13]), **LONG)
    assert observed(tasks) == expected()


def test_times_that_cannot_be_ordered(load):
    header = ("pupil", "question", "points", "when")
    for other, message in [
        ("", "time: expected only numbers, or only dates .*; see row 2"),
        ("31.3.2026", "time: expected only numbers, or only dates .*; see row 2"),
        ("2026-03-31", "time: expected only numbers, or only dates .*; see row 3"),
    ]:
        rows = [(*row, i or other) for i, row in enumerate(ANSWERS)]
        with pytest.raises(ValueError, match=message):
            load(long_csv(rows, header), **LONG, time="when")


# ---------------------------------------------------- files as they come, and are fine


def change(old, new, count=-1):
    return lambda text: text.replace(old, new, count)


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: "\ufeff" + text,
        lambda text: '\ufeff"pupil"' + text.removeprefix("pupil"),
        lambda text: long_csv(separator=";"),
        lambda text: long_csv(separator="\t"),
        lambda text: "\ufeff" + long_csv(separator=";").replace("\n", "\r\n"),
        change("\n", "\r\n"),
        change("\n", "\n\n"),
        lambda text: text + "\n\r\n,,\n,,\n",
        lambda text: text.rstrip("\n"),
        lambda text: long_csv(separator="|"),
        lambda text: text.encode("utf-16"),
        change("\n", "\r"),
        lambda text: "Class 7b\n" + text,
        lambda text: "sep=;\n" + long_csv(separator=";"),
        change(",", " , "),
        change("pupil,", "  pupil\t,"),
        change("\n", "\nNobody,q1,\nNobody,q2,NA\n", 1),  # left out, see below
        change(",1\n", ",1.0\n"),
        change(",1\n", ",1e0\n"),
        change(",1\n", ',"1,0"\n'),
        change(",1\n", ",TRUE\n"),
        change(",1\n", ",Right \n"),
        change(",0\n", ",false\n"),
        change(",0\n", ",wrong\n"),
        change(",1\n", ",+1\n"),
        change("Xaver", "=Xaver"),
        change("Xaver", "@+-Xaver"),
        change("Xaver", "Xaver" * 1000),
        change("Xaver", "Zoë 李 🎒"),
        change("Xaver", "NA"),
        lambda text: long_csv([('"' + n + ',\n;"', q, s) for n, q, s in ANSWERS]),
        lambda text: text.replace("\n", ",=1+1\n").replace(
            "points,=1+1", "points,note"
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_harmless(load, edit):
    assert observed(load(edit(long_csv()), **LONG)) == expected()


def test_a_file_name_is_no_pattern(load):
    assert observed(load(long_csv(), name="class [3b]*.csv", **LONG)) == expected()


def test_missing_answers_are_left_out_not_wrong(load):
    marks = ["", "NA", "n/a", "NaN", "null", " "]
    rows = [
        (n, q, marks[i % 6] if i % 9 == 0 else s) for i, (n, q, s) in enumerate(ANSWERS)
    ]
    there = [row for i, row in enumerate(ANSWERS) if i % 9]
    assert observed(load(long_csv(rows), **LONG)) == expected(there)


def test_scores_may_be_numbers_with_a_decimal_comma(load):
    rows = [(n, q, f"{s * 2.25:.2f}".replace(".", ",")) for n, q, s in ANSWERS]
    tasks = load(long_csv(rows, separator=";"), **LONG, maximum=4.5)
    assert observed(tasks) == expected([(n, q, s / 2) for n, q, s in ANSWERS])
    assert not tasks.binary


def test_the_maximum_belongs_to_the_scale(load):
    rows = [(n, q, 0.7 if s else 0) for n, q, s in ANSWERS]
    # As float32, 0.7 is smaller than as float64.
    tasks = load(long_csv(rows), **LONG, maximum=0.7)
    assert tasks.binary
    assert observed(tasks) == expected()


def test_ignored_columns_are_no_items(load):
    content = wide_csv().replace("\n", ",1\n").replace("q7,1", "q7,q8")
    assert "q8" in load(content, student="pupil").items
    assert observed(load(content, student="pupil", ignore=["q8"])) == expected()


def test_the_students_column_tells_the_separator(load):
    content = long_csv(
        [(n, s, s, 1 - s) for n, _, s in ANSWERS[::8]],
        ("pupil", "1,5", "2,5", "3,5"),
        ";",
    )
    assert load(
        content.replace('"', ""), student="pupil", min_answers=2, items="*"
    ).items == [
        "1,5",
        "2,5",
        "3,5",
    ]


# ------------------------------------------------------------ warnings, with counts


def test_students_with_too_few_answers_are_counted(load):
    few = [("Few", q, 1) for q in QUESTIONS[:5]] + [("None", "q0", "")]
    with pytest.warns(
        UserWarning, match="2 students, with 5 answers.*min_answers=6; 20 are"
    ):
        tasks = load(long_csv(ANSWERS + few), **LONG)
    assert tasks.left_out == {"students": 2, "answers": 5}
    assert observed(tasks) == expected()
    assert tasks.table().shape == (21, 8)  # who has an answer is there
    with pytest.warns(
        UserWarning, match="1 students, with 0 answers.*min_answers=5; 21 are"
    ):
        load(long_csv(ANSWERS + few), **LONG, min_answers=5)


def test_items_without_answers_are_named(load):
    content = wide_csv().replace("\n", ",\n").replace("q7,", "q7,q8")
    with pytest.warns(UserWarning, match="items without answers, 'q8'"):
        assert load(content, student="pupil").items == QUESTIONS


def test_constant_scores(load):
    with pytest.warns(UserWarning, match="every score is 1: nothing to predict"):
        load(long_csv([(n, q, 1) for n, q, _ in ANSWERS]), **LONG)


# -------------------------------------------------------------------- broken files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "path: expected column names in the first line, found none"),
        ("\ufeff", "path: expected column names in the first line, found none"),
        ("\n\n", "path: expected column names in the first line, found none"),
        ("pupil,question,points\n", "path: expected at least one answer, found none"),
        (long_csv([(n, q, "") for n, q, _ in ANSWERS]), "path: expected at least one"),
        (long_csv([r for r in ANSWERS if r[1] == "q1"]), "item: expected at least 2"),
        (long_csv() + "x,q1\n", "path: .* 3 cells in each row.*got 2 .* in line 162"),
        (long_csv() + "\nx,q1,1,\n", "3 cells in each row.*got 4 .* in line 163"),
        (long_csv() + '"x\n\ny",q1\n', "3 cells in each row.*got 2 .* in line 164"),
        (long_csv() + 'x,"q1,1\nx,q2,1\n', "quotation mark .* ends in line 161"),
        ('"pupil,question', "quotation mark .* ends in line 0"),
        (long_csv() + '5" nail,q1,1\n5" nail,q2,0\n', "quotation mark .* in line 161"),
        (long_csv() + '"x\ny",q1,1\nx,5",1\n', "quotation mark .* in line 163"),
        (long_csv() + '"x",q1,1\n x," 5",1\n "y",q1,1\n', "mark .* in line 163"),
        (long_csv().replace("\n", "\r") + "\nx\r,q0,1", "line end out of place"),
        (b"PK\3\4\xff\0", "the spreadsheet is damaged or locked"),
        (b"\xd0\xcf\x11\xe0", "the spreadsheet is damaged or locked"),
        (b"PAR1 and no more", "path: the table is damaged"),
        (long_csv().replace("points", " pupil "), "student: expected one column with"),
        (long_csv().replace("points", ""), "score: found no column .* 'column 3'"),
        (long_csv() + ",q0,1\n,q1,1\n", "student: expected a value .*see row 162"),
        (long_csv() + "x, ,1\n", "item: expected a value; see row 162"),
        (
            long_csv() + "\nx,q0,?\n" * 5,
            "score: .* row 163 .item 'q0'., row 165 .*, row 171 .item 'q0'.$",
        ),
        (
            long_csv() + long_csv([(n, q, 1) for n, q, _ in ANSWERS[:9]], ANSWERS[9]),
            "one answer of a student .*rows 2, 3, 4, 5, 6, 7, ….*one name",
        ),
    ],
)
def test_broken(load, content, message):
    with pytest.raises(ValueError, match=message) as error:
        load(content, **LONG)
    assert "Xaver" not in "".join(traceback.format_exception(error.value))
    assert error.value.__context__ is None  # what a decoder quotes is gone, too


@pytest.mark.parametrize(
    "score", ["away", "=1+1", "?", "@1", '"1.234,5"', "inf", "1e99", NAMES[3], "\0"]
)
def test_a_score_that_is_no_number_is_not_shown(load, score):
    with pytest.raises(ValueError, match="score: .* see row 162 .item 'q0'.$") as error:
        load(long_csv() + f"x,q0,{score}\n", **LONG)
    assert score not in str(error.value)
    assert error.value.__context__ is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"student": "pupil", "items": ["q1"]}, "items: found no column 'q1'"),
        ({"student": "pupil", "items": "q*x"}, "items: no column fits"),
        (LONG | {"attempts": "any"}, "attempts: expected one of first, last, best"),
        (LONG | {"maximum": 0}, "maximum: expected a number above 0"),
        (LONG | {"maximum": ...}, "maximum: put the score of a full answer"),
        (LONG | {"maximum": {"q9": 1}}, "maximum: found no item 'q9'"),
        (LONG | {"maximum": "most"}, "maximum: found no column 'most'"),
        (LONG | {"sheet": "a"}, "sheet: expected None"),
        ({"student": "name"}, "student: found no column 'name'; there are 'pupil', 'q"),
        (LONG | {"score": "mark"}, "score: found no column 'mark'; there are 'pupil'"),
        (LONG | {"time": "when"}, "time: found no column 'when'"),
        (LONG | {"ignore": ["x"]}, "ignore: found no column 'x'"),
        (LONG | {"score": None}, "item, score: expected both .* or neither"),
        (
            {"student": "pupil", "time": "points", "items": "q*"},
            "item, score: expected both",
        ),
        (LONG | {"score": "pupil"}, "student, item, score, time: expected different"),
        (LONG | {"maximum": 0.5}, "score: expected at most the maximum 0.5.*see row"),
        (LONG | {"min_answers": 0}, "min_answers: expected at least 1, got 0"),
        ({"student": "pupil", "ignore": ["question", "points"]}, "no column of scores"),
        ({"student": "points"}, "no column of scores .* 2 texts"),
    ],
)
def test_bad_arguments(load, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        load(long_csv(), **arguments)
    assert "Xaver" not in str(error.value)


def test_ignore_is_a_list(load):
    with pytest.raises(TypeError, match="ignore: expected a list, got one text"):
        load(wide_csv(), student="pupil", ignore="q7")


def test_no_file(tmp_path):
    for path in (tmp_path, tmp_path / "class.csv"):
        with pytest.raises(
            FileNotFoundError, match="path: expected a file with a table"
        ):
            GradebookTasks(path, **LONG)


def test_bad_draws(load):
    tasks = load(long_csv(), **LONG)
    with pytest.raises(ValueError, match="shots: expected 0 to 5, got 6"):
        tasks.all(6, "test", rng())
    with pytest.raises(ValueError, match="tasks: expected 1 to 3, got 4"):
        tasks.sample(4, 5, "test", rng())
    with pytest.raises(ValueError, match="split: expected one of"):
        tasks.all(5, "exam", rng())
    with pytest.raises(TypeError, match="rng: expected"):
        tasks.all(5, "test", 0)


# -------------------------------------------------------------------- privacy


def test_no_identifier_outlives_reading(load):
    tasks = load(long_csv(), **LONG)
    batch = tasks.all(3, "train", rng())
    for kept in (repr(tasks), repr(vars(tasks)), repr(batch)):
        assert "Xaver" not in kept
    for kept in (pickle.dumps(tasks), pickle.dumps(batch)):
        assert b"Xaver" not in kept


def test_a_column_of_names_is_not_shown(load):
    wide = wide_csv().replace("\n", ",Xaver\n").replace("q7,Xaver", "q7,first name")
    with pytest.warns(UserWarning, match="no items: 1 text: 'first name'") as caught:
        assert load(wide, student="pupil").items == QUESTIONS
    assert all("Xaver" not in str(warning.message) for warning in caught)
    # A file without a header.
    with pytest.raises(ValueError, match="not shown: is the first line no") as error:
        load(long_csv(ANSWERS[1:], ANSWERS[0]), **LONG)
    assert "Xaver" not in str(error.value)


def test_warnings_name_nobody(load):
    rows = [(n, q, 1) for n, q, _ in ANSWERS if n in NAMES[:10] or q < "q3"]
    with pytest.warns(UserWarning, match="left out|every score") as caught:
        load(long_csv(rows), **LONG)
    assert len(caught) == 2
    assert all("Xaver" not in str(warning.message) for warning in caught)
    assert all(warning.filename == __file__ for warning in caught)


# -------------------------------------------------------------------- random tables

CELLS = st.text(
    st.characters(exclude_categories=["Cs", "Cf"], exclude_characters="\0\r"),
    min_size=1,
)
LABELS = {*words.MAXIMUM_ROWS}.union(*words.NO_STUDENT_ROWS.values())
NAMED = CELLS.filter(
    lambda text: (
        text == " ".join(text.split())
        and words.plain(text) not in LABELS
        and not header.PATTERN.fullmatch(text)
    )
)


@st.composite
def tables(draw):
    names = draw(st.lists(NAMED, min_size=4, max_size=9, unique=True))
    item = NAMED.filter(lambda text: text != "pupil")
    items = draw(st.lists(item, min_size=2, max_size=6, unique=True))
    score = draw(st.sampled_from([st.integers(0, 1), st.floats(0, 8, width=32)]))
    rows = []
    for name in names:
        own = draw(st.lists(st.sampled_from(items), min_size=2, unique=True))
        rows += [(name, item, draw(score)) for item in own]
    return draw(st.permutations(rows))


@settings(deadline=None, max_examples=150)
@given(
    rows=tables(),
    wide=st.booleans(),
    separator=st.sampled_from(",;"),
    mark=st.booleans(),
    comma=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\n", "\r\n"]),
    shots=st.integers(0, 1),
)
def test_round_trip(
    tmp_path_factory, rows, wide, separator, mark, comma, quoting, end, shots
):
    maximum = 8 if any(s not in (0, 1) for _, _, s in rows) else None
    written = {(n, i): str(s).replace(".", ",") if comma else s for n, i, s in rows}
    table = [LONG.values(), *((*key, score) for key, score in written.items())]
    if wide:
        names, items = (list(dict.fromkeys(own)) for own in zip(*written, strict=True))
        table = [["pupil", *items]]
        table += [[n, *(written.get((n, i), "") for i in items)] for n in names]
    path = tmp_path_factory.mktemp("round") / "class.csv"
    with path.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="") as file:
        writer = csv.writer(
            file, delimiter=separator, quoting=quoting, lineterminator=end
        )
        writer.writerows(table)
    columns = {"student": "pupil", "items": "*"} if wide else LONG
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tasks = GradebookTasks(path, **columns, maximum=maximum, min_answers=2)
    shares = [(n, i, s / (maximum or 1)) for n, i, s in rows]
    assert observed(tasks, shots) == expected(shares)
    students = np.concatenate([*tasks.splits.values()])
    assert sorted(students) == [*range(len({name for name, _, _ in rows}))]
    for split in tasks.splits:
        batch = tasks.all(shots, split, rng())
        assert (batch.support_mask.sum(axis=1) == shots).all()


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), min_size=1, unique=True)
)
def test_scatter_puts_each_example_in_its_place(places):
    task, place = np.array(places).T
    x, y, mask = scatter(task, place, np.arange(len(task)) + 1, -task, 6)
    assert mask.sum() == len(places)
    for n, (i, j) in enumerate(places):
        assert (x[i, j, 0], y[i, j, 0], mask[i, j]) == (n + 1, -i, 1)
    assert x.sum() == sum(range(len(places) + 1))
