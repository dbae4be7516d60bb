"""A teacher's own class: forecasts, intervals, and which items to ask next."""

from refimpl.own_class.asking import to_ask, worth_asking
from refimpl.own_class.choosing import one_standard_error, student_losses, tried
from refimpl.own_class.intervals import conformal, cv_plus, mastery
from refimpl.own_class.look import Findings, look
from refimpl.own_class.page import ClassReport, Student
from refimpl.own_class.reading import ClassReader
from refimpl.own_class.report import class_report
from refimpl.own_class.rivals import FittedReader, readers

__all__ = [
    "ClassReader",
    "ClassReport",
    "Findings",
    "FittedReader",
    "Student",
    "class_report",
    "conformal",
    "cv_plus",
    "look",
    "mastery",
    "one_standard_error",
    "readers",
    "student_losses",
    "to_ask",
    "tried",
    "worth_asking",
]
