"""A class list has few letters, but its encoding must be right, and is said."""

# ruff: noqa: RUF001 - letters of many languages
import pytest

from refimpl.tasks import GradebookTasks

LISTS = [
    ("utf-8", None, "Schüler;Q1;Q2\nJörg Müller;1;0\nZoë Groß;0;1\n"),
    ("utf-8-sig", None, "Schüler;Q1;Q2\nJörg Müller;1;0\nZoë Groß;0;1\n"),
    ("utf-16", "UTF-16", "Schüler;Q1;Q2\nJörg;1;0\nZoë Groß;0;1\n"),
    ("utf-16-le", "UTF-16", "Schüler;Q1;Q2\nJörg;1;0\nZoë Groß;0;1\n"),
    ("utf-16-be", "UTF-16", "姓名;Q1;Q2\nAda;1;0\nBo;0;1\n"),
    ("utf-32", "UTF-32", "Schüler;Q1;Q2\nJörg;1;0\nZoë Groß;0;1\n"),
    ("cp1252", "Windows-1252", "Schüler;Q1;Q2\nJörg Müller;1;0\nZoë Groß;0;1\n"),
    ("cp1252", "Windows-1252", "name,q1,q2\nAda,1,0\nZoë,0,1\n"),
    ("cp1252", "Windows-1252", "Name;Q1;Q2\nMÜLLER;1;0\nJosé Núñez;0;1\nÅse;1;1\n"),
    ("cp1252", "Windows-1252", "prénom;contrôle 1;contrôle 2\nRené;1;0\nBo;0;1\n"),
    ("cp1252", "Windows-1252", "Name;Aufgabe – 1;Aufgabe – 2\nAda;1;0\nBo;0;1\n"),
    ("mac_roman", "Mac Roman", "Élève;Q1;Q2\nZoë Lefèvre;1;0\nFrançois;0;1\n"),
    ("mac_roman", "Mac Roman", "name,q1,q2\nZoë,1,0\nBo,0,1\n"),
    ("gbk", "GBK", "学号,姓名,第1题,第2题\n1,李Abel,1,缺考\n2,王明,0,1\n"),
    ("gbk", "GBK", "name,q1,q2\n李雷,1,0\nBo,0,1\n"),
    ("gb18030", "GBK", "姓名,q1,q2\n李雷,1,0\n韩梅梅,0,1\n王小明,1,1\n"),
    ("shift_jis", "Shift-JIS", "名前,問1,問2\n田中太郎,1,0\n鈴木花子,0,1\n"),
    ("shift_jis", "Shift-JIS", "name,q1,q2\n田中,1,0\nBo,0,1\n"),
    ("big5", "Big5", "學號,姓名,第一題,第二題\n1,陳大文,1,0\n2,李小明,0,1\n"),
    ("cp1250", "Windows-1250", "uczeń;q1;q2\nŁukasz Żak;1;0\nŚwięta;0;1\n"),
    ("cp1251", "Windows-1251", "ученик;q1;q2\nИван Петров;1;0\nМария;0;1\n"),
]


@pytest.mark.parametrize(("encoding", "said", "text"), LISTS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.filterwarnings("ignore")
def test_the_header_is_read_as_it_was_written(tmp_path, encoding, said, text, end):
    path = tmp_path / "class.csv"
    path.write_bytes(text.replace("\n", end).encode(encoding))
    header = text.splitlines()[0].replace(";", ",").split(",")
    tasks = GradebookTasks(path, header[-3], items=header[-2:], min_answers=1)
    assert tasks.items == header[-2:]
    notes = [note for note in tasks.notes if "not UTF-8" in note]
    assert len(notes) == (said is not None)
    assert said is None or f"read as {said}." in notes[0]
