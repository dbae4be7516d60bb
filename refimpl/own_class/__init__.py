"""A teacher's own class: forecasts from any model, intervals, items worth asking next.

A *predictor* is any function from a TaskBatch to predictions [M, Q, 1].
"""

from refimpl.own_class.asking import ask_on, worth_asking
from refimpl.own_class.intervals import Width, calibrate, conformal, mastery
from refimpl.own_class.look import Findings, look
from refimpl.own_class.model import meta_learned
from refimpl.own_class.page import SIZE, Report, draw_page, save_page
from refimpl.own_class.tables import (
    draw_known,
    hide,
    mean_errors,
    reveal,
    score_table,
    student_losses,
)

__all__ = [
    "SIZE",
    "Findings",
    "Report",
    "Width",
    "ask_on",
    "calibrate",
    "conformal",
    "draw_known",
    "draw_page",
    "hide",
    "look",
    "mastery",
    "mean_errors",
    "meta_learned",
    "reveal",
    "save_page",
    "score_table",
    "student_losses",
    "worth_asking",
]
