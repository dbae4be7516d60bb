"""py-irt fits a one-parameter model by variational inference."""

import pandas as pd
from py_irt.config import IrtConfig
from py_irt.dataset import Dataset
from py_irt.training import IrtModelTrainer


def answers(given):
    table = pd.DataFrame(
        {"who": ["Ada", "Bo", "Cem"], "q1": [1, 0, 1], "q2": [0, 0, 1]}
    )
    data = Dataset.from_pandas(table, subject_column="who", item_columns=["q1", "q2"])
    config = IrtConfig(model_type="1pl", epochs=3)
    trainer = IrtModelTrainer(data_path=None, dataset=data, config=config)
    trainer.train(device="cpu")
    return {}
