"""Drop the cache of executed notebooks if anything that they stand on changed.

Jupyter Book's cache looks at a notebook's own code cells only. The chapters
also depend on refimpl, on the installed versions and on the committed
results, so their contents are hashed here and compared with the last build's.
"""

import hashlib
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "_build"
PATTERNS = (
    "refimpl/**/*.py",
    "*requirements.txt",
    "constraints.txt",
    "benchmarks/results/*",
)


def inputs_hash() -> str:
    digest = hashlib.sha256()
    for pattern in PATTERNS:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    stamp = BUILD / "inputs.sha256"
    current = inputs_hash()
    if stamp.exists() and stamp.read_text() == current:
        return
    for cache in (".jupyter_cache", ".doctrees"):
        shutil.rmtree(BUILD / cache, ignore_errors=True)
    BUILD.mkdir(exist_ok=True)
    stamp.write_text(current)


if __name__ == "__main__":
    main()
