"""Write every installed version to constraints.txt: the book of today, years later."""

import os
import subprocess
import sys
from pathlib import Path

TARGET = Path(__file__).parent.parent / "constraints.txt"
HEAD = (
    "# The whole resolved set, written by `make lock`; pip install -c constraints.txt\n"
)


def main() -> None:
    freeze = [sys.executable, "-m", "pip", "freeze", "--exclude-editable"]
    lines = subprocess.run(freeze, capture_output=True, text=True, check=True).stdout
    # A local version such as torch's +cpu names a build, not a release.
    pins = [line.split("+")[0] for line in lines.splitlines() if "==" in line]
    temporary = TARGET.with_suffix(".tmp")
    temporary.write_text(
        HEAD + "".join(f"{pin}\n" for pin in sorted(pins, key=str.lower))
    )
    os.replace(temporary, TARGET)
    print(f"{len(pins)} versions written to {TARGET.name}")


if __name__ == "__main__":
    main()
