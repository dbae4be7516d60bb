"""Drop what Jupyter Book has cached if anything that it stands on changed.

Its cache of executed notebooks looks at a notebook's own code cells only. The
chapters also depend on refimpl, on the installed versions and on the committed
results. The pages, too, depend on more than their sources: on our extensions and
style sheets. So the contents are hashed here and compared with the last build's.
"""

import hashlib
import platform
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "_build"
CODE = (
    "refimpl/**/*.py",
    "*requirements.txt",
    "constraints.txt",
    "benchmarks/results/*",
)
PAGES = (*CODE, "book/_ext/*.py", "book/_static/*")


def inputs_hash(patterns: tuple[str, ...]) -> str:
    digest = hashlib.sha256(platform.python_version().encode())
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    for cache, patterns in ((".jupyter_cache", CODE), (".doctrees", PAGES)):
        stamp = BUILD / f"inputs{cache.replace('.', '_')}.sha256"
        current = inputs_hash(patterns)
        if stamp.exists() and stamp.read_text() == current:
            continue
        shutil.rmtree(BUILD / cache, ignore_errors=True)
        BUILD.mkdir(exist_ok=True)
        stamp.write_text(current)


if __name__ == "__main__":
    main()
