"""Where tasks come from. NumPy only: no learning framework is imported here."""

from refimpl.tasks.batch import TaskBatch
from refimpl.tasks.gradebook import GradebookTasks
from refimpl.tasks.growth import GrowthTasks
from refimpl.tasks.ratings import RatingTasks
from refimpl.tasks.responses import ResponseTasks
from refimpl.tasks.scores import Predictor, rmse, summarize
from refimpl.tasks.sinusoid import SinusoidTasks

__all__ = [
    "GradebookTasks",
    "GrowthTasks",
    "Predictor",
    "RatingTasks",
    "ResponseTasks",
    "SinusoidTasks",
    "TaskBatch",
    "rmse",
    "summarize",
]
