"""Where a result comes from, and where it goes."""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
LIBRARIES = ("unspool", "jax", "jaxlib", "numpy", "torch")


def write_result(name: str, answer: dict[str, Any]) -> None:
    """Write results/NAME.json: the answer, the command and where it was measured."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**answer, "origin": _origin()}, indent=1) + "\n")
    print(f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


def data_file(name: str) -> Path:
    """A file of the real data that UNSPOOL_DATA points to."""
    root = os.environ.get("UNSPOOL_DATA")
    if root is None:
        sys.exit("set UNSPOOL_DATA to the folder that holds the data: see benchmarks/README.md")
    return Path(root) / name


def _origin() -> dict[str, Any]:
    return {
        "command": " ".join(["python -m benchmarks." + Path(sys.argv[0]).stem, *sys.argv[1:]]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    widths = [flag for flag in ("avx2", "avx512f", "amx_tile") if f" {flag}" in flags]
    return f"{names[0] if names else platform.machine()} ({', '.join(widths)})"
