"""Ask one tool, in its own environment: run.py TOOL GIVEN.npz ANSWER.npz [SOURCE].

ask_TOOL.py (with _ for -) has a function ``answers``: arrays in, arrays out. A package
that did not build is read from its SOURCE, without what its __init__.py would load.
"""

import importlib
import sys
import types
from pathlib import Path

import numpy as np

tool, given, out, *source = sys.argv[1:]
for name in (tool, f"{tool}.algorithms") if source else ():
    package = types.ModuleType(name)
    package.__path__ = [str(Path(source[0], *name.split(".")[1:]))]
    sys.modules[name] = package
peer = importlib.import_module("ask_" + tool.replace("-", "_"))
if found := peer.answers(dict(np.load(given))):
    np.savez(out, **{name: np.asarray(array) for name, array in found.items()})
