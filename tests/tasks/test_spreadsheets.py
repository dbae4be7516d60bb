"""Spreadsheets as schools have them: sheets, merged cells, blank rows, texts."""

import subprocess
import sys
import zipfile
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pytest

from refimpl.own_class import look
from refimpl.tasks import GradebookTasks

NAMES = [f"{first} Quixote" for first in ["Ann", "Bo", "Cy", "Dee", "Eli", "Fay"]]
POINTS = np.arange(36).reshape(6, 6) % 11
HEADER = ["Name", *(f"Q{j}" for j in range(1, 7))]
ROWS = [[n, *map(int, own)] for n, own in zip(NAMES, POINTS, strict=True)]
OPEN = "http://schemas.openxmlformats.org"


def cell(value, place):
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str) and value.startswith("#"):
        return f'<c r="{place}" t="e"><v>{value}</v></c>'
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def xlsx(path, sheets, merged=""):
    """Write {name: rows}; None is an empty cell, and an empty row is not written."""
    with zipfile.ZipFile(path, "w") as file:
        names = [*sheets]
        kind = f"{OPEN}/officeDocument/2006/relationships"
        file.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Override PartName="/xl/workbook.xml" ContentType="application/'
            'vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        )
        rels = f'<Relationships xmlns="{OPEN}/package/2006/relationships">'
        file.writestr(
            "_rels/.rels",
            f'{rels}<Relationship Id="r1" Type="{kind}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(
            f'<sheet name={quoteattr(n)} sheetId="{i}" r:id="r{i}"/>'
            for i, n in enumerate(names, 1)
        )
        file.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{OPEN}/spreadsheetml/2006/main" '
            f'xmlns:r="{kind}"><sheets>{listed}</sheets></workbook>',
        )
        targets = "".join(
            f'<Relationship Id="r{i}" Type="{kind}/worksheet" '
            f'Target="worksheets/sheet{i}.xml"/>'
            for i in range(1, len(names) + 1)
        )
        file.writestr("xl/_rels/workbook.xml.rels", f"{rels}{targets}</Relationships>")
        for i, rows in enumerate(sheets.values(), 1):
            body = "".join(
                f'<row r="{r}">'
                + "".join(
                    cell(v, f"{chr(65 + c)}{r}")
                    for c, v in enumerate(row)
                    if v is not None
                )
                + "</row>"
                for r, row in enumerate(rows, 1)
                if any(v is not None for v in row)
            )
            file.writestr(
                f"xl/worksheets/sheet{i}.xml",
                f'<worksheet xmlns="{OPEN}/spreadsheetml/2006/main">'
                f"<sheetData>{body}</sheetData>{merged}</worksheet>",
            )
    return path


def ods(path, rows):
    namespace = "urn:oasis:names:tc:opendocument:xmlns"
    body = "".join(
        "<table:table-row>"
        + "".join(
            '<table:table-cell office:value-type="string"><text:p>'
            f"{escape(v)}</text:p></table:table-cell>"
            if isinstance(v, str)
            else f'<table:table-cell office:value-type="float" office:value="{v}"/>'
            for v in row
        )
        + "</table:table-row>"
        for row in rows
    )
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        file.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{namespace}:manifest:1.0"/>',
        )
        file.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{namespace}:office:1.0" '
            f'xmlns:table="{namespace}:table:1.0" xmlns:text="{namespace}:text:1.0">'
            '<office:body><office:spreadsheet><table:table table:name="Sheet1">'
            f"{body}</table:table></office:spreadsheet></office:body>"
            "</office:document-content>",
        )
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "class.xlsx"


def check(tasks, points=POINTS / 10):
    np.testing.assert_allclose(tasks.table(), points, rtol=1e-6)


def test_numbers_stored_as_text(path):
    texts = [[n, *map(str, own)] for n, *own in ROWS]
    texts[0][1] = " 0"
    check(GradebookTasks(xlsx(path, {"A": [HEADER, *texts]}), "Name", maximum=10))


def test_blank_rows_do_not_shift_the_rows_that_messages_name(path):
    rows = [[None], [None], ["Class 7b"], HEADER, *ROWS[:3], [None], *ROWS[3:]]
    with pytest.warns(UserWarning, match="stand in row 4; what is above"):
        tasks = GradebookTasks(xlsx(path, {"A": rows}), "Name", maximum=10)
    check(tasks)
    np.testing.assert_array_equal(tasks.rows, [5, 6, 7, 9, 10, 11])
    rows[-1] = [NAMES[-1], 99, *ROWS[-1][2:]]
    with pytest.raises(ValueError, match="see row 11 .item 'Q1'"):
        GradebookTasks(xlsx(path, {"A": rows}), "Name", maximum=10)


def test_merged_titles_and_merged_students(path):
    title = ["Spring term", *[None] * 6]
    merged = '<mergeCells count="1"><mergeCell ref="A1:G1"/></mergeCells>'
    file = xlsx(path, {"A": [title, HEADER, *ROWS]}, merged)
    with pytest.warns(UserWarning, match="stand in row 2"):
        check(GradebookTasks(file, "Name", maximum=10))
    rows = [["Name", "item", "score"]]  # each student's cell merged over two rows
    for name in NAMES:
        rows += [[name, "a", 1], [None, "b", 0]]
    with pytest.raises(ValueError, match="student: expected a value .*see row 3"):
        GradebookTasks(xlsx(path, {"A": rows}), "Name", item="item", score="score")


def test_formulas_that_failed_and_truth_values(path):
    rows = [HEADER, *([*own] for own in ROWS)]
    rows[2][3] = "#DIV/0!"
    with pytest.warns(
        UserWarning, match=r"1 cells hold a spreadsheet's error .*\(D3\)"
    ):
        tasks = GradebookTasks(xlsx(path, {"A": rows}), "Name", maximum=10)
    assert np.isnan(tasks.table()[1, 2])
    rows[1:] = [[n, *(x > 5 for x in own)] for n, *own in ROWS]
    with pytest.raises(ValueError, match="True and False.*maximum=1"):
        GradebookTasks(xlsx(path, {"A": rows}), "Name")
    check(GradebookTasks(path, "Name", maximum=1), POINTS > 5)


def test_sheets(path):
    sheets = {
        "Autumn": [HEADER, *ROWS],
        "Spring": [HEADER, *ROWS[::-1]],
        "Notes": [["x"]],
    }
    xlsx(path, sheets)
    with pytest.raises(ValueError, match="sheet: .* several .*'Autumn', 'Spring'$"):
        GradebookTasks(path, "Name", maximum=10)
    check(GradebookTasks(path, "Name", sheet="Autumn", maximum=10))
    check(GradebookTasks(path, "Name", sheet="Spring", maximum=10), POINTS[::-1] / 10)
    with pytest.raises(ValueError, match="sheet: found no sheet 'May'; there are 'Aut"):
        GradebookTasks(path, "Name", sheet="May", maximum=10)
    findings = look(path)
    assert "sheet='Autumn', maximum=...)" in findings.call
    assert not [
        part for name in NAMES for part in name.split() if part in str(findings)
    ]
    check(
        GradebookTasks(
            ods(path.with_suffix(".ods"), [HEADER, *ROWS]), "Name", maximum=10
        )
    )


def test_libraries_load_only_for_the_file_that_needs_them(path):
    xlsx(path, {"A": [HEADER, *ROWS]})
    text = path.with_suffix(".csv")
    lines = [",".join(map(str, row)) for row in [HEADER, *ROWS]]
    text.write_text("\n".join(lines), encoding="utf-8")
    for file, loaded in ((text, "False"), (path, "True")):
        code = (
            "import sys; from refimpl.tasks import GradebookTasks\n"
            f"GradebookTasks({str(file)!r}, 'Name', maximum=10)\n"
            "print('fastexcel' in sys.modules)"
        )
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == loaded
