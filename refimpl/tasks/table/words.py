"""The words that schools' programs use, in headers, in labels of rows, and for gaps.

A long module, since it is mostly lists: what reading knows, in one place.
"""

# ruff: noqa: RUF001 - letters of many languages
from __future__ import annotations

import re
import unicodedata

GAPS = {
    *("", "na", "n/a", "nan", "null", "none", "n.a.", "#n/a", "#n/v", "#nv"),
    *("-", "--", "---", "–", "—", ".", "…", "?/?"),
    *("ex", "exc", "excused", "exempt", "absent", "abs", "abs.", "missing", "msg"),
    *("in progress", "needs grading", "not graded", "ungraded", "not yet graded"),
    *("not submitted", "not attempted", "not answered", "no submission", "no answer"),
    *("no grade", "incomplete", "fehlt", "fehlend", "krank", "entschuldigt", "entsch."),
    *("abwesend", "nicht bewertet", "nicht abgegeben", "absente", "absent(e)"),
    *("dispensé", "dispensée", "malade", "non rendu", "non noté", "ausente"),
    *("缺考", "缺席", "缺", "缺勤", "请假", "未交", "未提交", "未做", "无", "免考"),
    *("欠席", "未提出", "欠", "결석"),
}
QUIET_GAPS = {"", "na", "n/a", "nan", "null", "-"}  # not worth a warning
GAP_PATTERN = r"^(needs grading|in progress) ?\(.*\)$|^-+ ?/ ?[\d.,]+$"
SCORE_WORDS = {"right": 1.0, "wrong": 0.0, "correct": 1.0, "incorrect": 0.0}
SCORE_WORDS |= {"richtig": 1.0, "falsch": 0.0, "juste": 1.0, "faux": 0.0, "hint": 0.0}
SCORE_WORDS |= {"正确": 1.0, "错误": 0.0, "对": 1.0, "错": 0.0, "✓": 1.0, "✗": 0.0}
TRUE_FALSE = {"true": 1.0, "false": 0.0, "wahr": 1.0, "vrai": 1.0, "yes": 1.0, "no": 0}
TRUE_FALSE |= {"verdadero": 1.0, "ja": 1.0, "nein": 0.0, "是": 1.0, "否": 0.0}

MAXIMUM_ROWS = {
    *("points possible", "max points", "maximum points", "max. points", "max score"),
    *("maximum score", "max marks", "maximum marks", "possible points", "out of"),
    *("full marks", "total possible", "maximalpunktzahl", "max. punkte", "max punkte"),
    *("maximale punktzahl", "mögliche punkte", "höchstpunktzahl", "barème", "满分"),
    *("punkte möglich", "points possibles", "puntos posibles", "配点", "題滿分"),
}
NO_STUDENT_ROWS = {
    "average": {
        *("overall average", "average", "class average", "mean", "median", "averages"),
        *("standard deviation", "std dev", "std. dev.", "sd", "mean score", "avg"),
        *("durchschnitt", "mittelwert", "gesamtdurchschnitt", "klassenschnitt"),
        *(
            "moyenne",
            "écart-type",
            "promedio",
            "平均",
            "平均分",
            "总体平均分",
            "及格率",
        ),
        *("group average", "class mean", "course average", "grade average"),
        *("moyenne générale", "moyenne de la classe", "平均点", "最高分", "最低分"),
    },
    "test student": {"student, test", "test student", "teststudent"},
    "no grades": {"manual posting"},
}
UNSURE_ROWS = {  # may be a student's name, as Max is
    *("max", "max.", "maximum", "min", "total", "sum", "summe", "points", "punkte"),
    *("weight", "key", "answer key", "solution", "lösung", "gesamt", "答案", "合计"),
}
NO_SCORES = {"manual posting", "(read only)", "muted", ""}

_WORKS = (
    r"q|qu|quiz|quizz|question|ques|item|task|test|exam|midterm|essay|lab|hw|homework|"
    r"assignment|assign|exercise|exo|problem|prob|project|paper|unit|chapter|worksheet|"
    r"ps|aufgabe|aufg|frage|übung|blatt|klausur|klassenarbeit|arbeit|einheit|devoir|"
    r"exercice|contrôle|interro|interrogation|épreuve|ejercicio|pregunta|examen|tarea|"
    r"quizzes|tests|response|points - .*|final exam|aufg\.|ex|ex_|lektion|leçon|partie"
)
WORK = re.compile(
    rf"\b({_WORKS})(?=[\W\d_]|$)|第\s*\d+\s*[题問问课]|[题問问]\s*\d|作业|测验|考试|单元|期中|期末"
    r"|\[score\]$|\(\d+(\.\d+)? ?pts\)"
)
_PERSON = (
    r"student|students|pupil|pupils|learner|child|schüler|schülerin|schüler/in|"
    r"schüler:in|lernende|lernender|élève|eleve|étudiant|etudiant|alumno|estudiante|"
    r"学生|姓名|名字|氏名|名前|生徒|이름|candidate|participant|teilnehmer|user"
)
NAME = re.compile(
    rf"({_PERSON})|((first|last|given|family|full|middle|preferred|display|{_PERSON})"
    r"(['’]s)?[ -]*)?names?|name,? ?vorname|surname|forename|vorname|nachname|"
    r"familienname|rufname|prénom|prenom|nom|nom,? ?prénom|nombres?|apellidos?|"
    r"first|last|cognome|nome"
)
FIRST_NAME = re.compile(r"(first|given) ?name|first|vorname|rufname|prénom|forename")
LAST_NAME = re.compile(r"(last|family) ?name|last|surname|nachname|familienname|nom")
IDENTIFIER = re.compile(
    r".*\b(id|ids|sid|uid|username|user ?name|login|number|num|nummer|nr\.?|no\.?)"
    r"|id[ -](number|nummer)|(student|user|pupil|anon student|learner) ?id.*|row|#"
    r"|e-?mail.*|mail|matrikel\w*|matric\w*|identifiant|numéro.*|courriel|.*id-nummer"
    r"|学号|考号|编号|序号|学籍号|邮箱|番号|学籍番号|출석번호|학번"
)
_SCORE = r"scores?|points?|pts|grades?|marks?|percent|percentage|results?|punkte|note|%"
TOTAL = re.compile(
    r"(.* )?(total|totals|sum|subtotal|overall|average|mean|avg|summe|gesamt\w*"
    rf"|insgesamt|durchschnitt|mittelwert|moyenne|somme|promedio|suma)( ?({_SCORE}))*"
    rf"|(.* )?(current|final|unposted|running) ({_SCORE})|n (in)?correct"
    rf"|({_SCORE})|(grade|bewertung|note|calificación|punkte) ?/ ?[\d.,]+"
    r"|max(imum)?\.? (points|score)|zensur|gpa|rank|rang|level|note finale"
    r"|总分|总成绩|成绩|合计|总计|平均分?|名次|排名|等级|合計|総合|点数|총점"
)
OTHER = re.compile(
    r".*\b(age|alter|âge|edad|section|sections|class|klasse|classe|group|gruppe"
    r"|period|year|jahr|jahrgang|semester|term|room|attempts?|versuche?|count|duration"
    r"|minutes|seconds|time|zeit|lateness.*|late|days|attendance|absences|tardies"
    r"|present|gender|sex|height|weight|level|seat|last downloaded.*|zuletzt .*)"
    r"|班级|年级|年龄|性别|组别?|出勤|缺勤|考勤|座号"
)
DATE = re.compile(
    r".*\b(date|datum|timestamp|started( on)?|completed|last access|modified.*|due)"
    r"|(start|completion|submission|last modified|end) time|日期|时间|zeitstempel"
)
REMARK = re.compile(
    r"feedback.*|.*\[feedback\]|comments?|remarks?|status|state|availability|kommentar"
    r"|institution|department|abteilung|bemerkung(en)?|备注|评语|quiz feedback|city"
)

# Columns of long tables, the likeliest first.
LONG_ITEM = [
    *("item", "item id", "question id", "question", "problem id", "step name"),
    *("exercise", "exercise id", "assignment", "problem", "task", "task id"),
    *("assistment id", "problem name", "quiz", "aufgabe", "frage", "题目", "题号"),
]
LONG_SCORE = [
    *("correct", "is correct", "right", "score", "resp", "outcome", "points", "result"),
    *("grade", "mark", "punkte", "得分", "成绩", "first attempt correct"),
]
LONG_TIME = ["time done", "order id", "timestamp", "time", "start time", "date"]
LONG_MAXIMUM = ["max score", "max points", "points possible", "maximum", "max", "满分"]
IS_SCORE = re.compile(r"\b(correct|right|scores?|points?|outcome|richtig|juste|resp)\b")


def plain(text: str) -> str:
    """``text`` as words are compared: one case, one Unicode form, one kind of space."""
    text = unicodedata.normalize("NFKC", text).replace("\u200b", "").replace("_", " ")
    return " ".join(text.casefold().split()).rstrip(":")


def bare(name: str) -> str:
    """A header, ``name``, without what is in brackets or behind a bar: (Real), |1."""
    return plain(re.sub(r"[(\[][^)\]]*[)\]]|\|\s*\d+\s*$", " ", name)) or plain(name)


def is_known(name: str) -> bool:
    """Whether ``name`` is surely a header, so that a message may show it."""
    found = WORK.search(plain(name)) and len(name) < 60
    kinds = (NAME, IDENTIFIER, TOTAL, OTHER, DATE, REMARK)
    long = {*LONG_ITEM, *LONG_SCORE, *LONG_TIME, *LONG_MAXIMUM}
    if re.match(r"column \d+$", name) or found or bare(name) in long:
        return True
    return len(name) < 60 and any(kind.fullmatch(bare(name)) for kind in kinds)


def letter(place: int) -> str:
    """How a spreadsheet calls the column at ``place``, which counts from 0."""
    text = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(65 + rest) + text
    return text


def referred(name: str, names: list[str]) -> str:
    """How a call names a column: ``name``, or its place in ``names`` if a cell."""
    return name if is_known(name) else f"column {names.index(name) + 1}"


def shown(name: str, names: list[str]) -> str:
    """A column in a message: ``name`` if surely a header, or its place in ``names``."""
    place = names.index(name)
    return repr(name) if is_known(name) else f"column {place + 1} ({letter(place)})"
