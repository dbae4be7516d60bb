"""Tell in one line each what would keep the book from running, and how to mend it.

    python tools/check_environment.py

Needs nothing but Python itself; in a notebook, %run ../tools/check_environment.py.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")  # those that TensorFlow has wheels for
MEMORY = 2.0  # GB, what the largest chapter and JupyterLab need together
DISK = 0.5  # GB, for what chapters write and cache


def check_python(version: tuple[int, ...] = tuple(sys.version_info[:3])) -> str | None:
    found = ".".join(map(str, version))
    if found.rpartition(".")[0] not in PYTHONS:
        return f"Python {found} does not fit: install {PYTHONS[-1]}, and start anew."
    return None


def check_packages(wanted: dict[str, str]) -> str | None:
    """Each package of the book is there, in the version that it was tested with."""
    missing, other = [], []
    for name, version in wanted.items():
        try:
            installed = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        if installed != version:
            other.append(f"{name} {installed} (tested: {version})")
    if not missing and not other:
        return None
    found = "; ".join(
        text
        for text, names in (
            (f"missing: {', '.join(missing)}", missing),
            (f"other versions: {', '.join(other)}", other),
        )
        if names
    )
    return f"Packages, {found}. pip install -r requirements.txt -c constraints.txt"


def check_refimpl() -> str | None:
    if importlib.util.find_spec("refimpl") is None:
        return f"refimpl is not installed: pip install --no-deps -e {ROOT}"
    return None


def check_memory(available: float | None) -> str | None:
    if available is not None and available < MEMORY:
        return (
            f"Only {available:.1f} GB of memory are free, {MEMORY:.0f} are needed: "
            "close other programs, and shut down the kernels of other notebooks."
        )
    return None


def check_disk(folder: Path) -> str | None:
    free = shutil.disk_usage(folder).free / 1e9
    if free < DISK:
        return (
            f"Only {free:.1f} GB of disk are free, {DISK} are needed: delete something."
        )
    return None


def check_writing(folder: Path) -> str | None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError:
        return (
            f"The folder {folder.name} cannot be written to: copy the book to a folder "
            "of your own."
        )


def check_environment(own: Path, prefix: str = sys.prefix) -> str | None:
    """Whether the environment that ``make`` made is there, but not in use."""
    if own.is_dir() and not Path(prefix).samefile(own):
        windows = os.name == "nt"
        how = own / "Scripts/activate" if windows else f"source {own / 'bin/activate'}"
        return f"The book's own environment is not active: {how}"
    return None


def wanted_packages() -> dict[str, str]:
    """Names and versions of what the chapters import, as Binder installs them."""
    text = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def available_memory() -> float | None:
    """GB that programs may still take, within a container's limit; None if unknown."""
    found = []
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        kilobytes = re.search(r"MemAvailable:\s+(\d+)", meminfo.read_text())
        found.append(int(kilobytes[1]) / 1e6)
    limit, used = (
        Path("/sys/fs/cgroup/memory.max"),
        Path("/sys/fs/cgroup/memory.current"),
    )
    if limit.exists() and used.exists() and limit.read_text().strip().isdigit():
        found.append((int(limit.read_text()) - int(used.read_text())) / 1e9)
    if not found and hasattr(os, "sysconf"):
        try:
            pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return None
        found.append(pages / 1e9)
    return min(found, default=None)


def main() -> None:
    notebooks = ROOT / "notebooks"
    answers = [
        check_python(),
        check_packages(wanted_packages()),
        check_refimpl(),
        check_memory(available_memory()),
        check_disk(notebooks),
        check_writing(notebooks),
    ]
    wrong = [answer for answer in answers if answer]
    if wrong and (inactive := check_environment(ROOT / ".venv")):
        wrong.insert(0, inactive)
    for answer in wrong:
        print("WRONG ", answer)
    if wrong:
        sys.exit(1)
    print("All is well: the chapters will run here.")


if __name__ == "__main__":
    main()
