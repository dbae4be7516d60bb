"""CleanRL is files to read and copy; its package has the few shared helpers."""

import importlib


def answers(given):
    importlib.import_module("cleanrl_utils")
    importlib.import_module("cleanrl.ppo")
    return {}
