"""The class model as it comes with the book, trained by benchmarks.class_model."""

from pathlib import Path

from refimpl.context.class_model import ClassModel
from refimpl.maml import load_trained

WEIGHTS = Path(__file__).with_name("class_model.safetensors")


def trained_class_model(path: str | Path = WEIGHTS) -> ClassModel:
    """A :class:`ClassModel` with trained weights, its intervals calibrated.

    Trained on classes of 5 to 60 students and items: people and items of the Swedish
    SAT's quantitative test, and made-up ones. ``path`` is a file that
    ``python -m benchmarks.class_model`` wrote. Raises a ValueError if it is not.
    """
    model = ClassModel(seed=0)
    load_trained(path, model=model)
    return model
