"""Learning in context: networks that read the support set, in PyTorch."""

from refimpl.context.class_model import ClassModel, class_losses, read_class
from refimpl.context.in_context import (
    InContext,
    in_context_losses,
    predict_in_context,
)
from refimpl.context.intervals import calibrate
from refimpl.context.surprises import surprise
from refimpl.context.weights import trained_class_model

__all__ = [
    "ClassModel",
    "InContext",
    "calibrate",
    "class_losses",
    "in_context_losses",
    "predict_in_context",
    "read_class",
    "surprise",
    "trained_class_model",
]
