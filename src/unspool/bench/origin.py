"""Record where a figure comes from: the machine, the versions, the commit."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = (
    "unspool", "jax", "jaxlib", "numpy", "torch", "flax", "keras", "onnx", "onnxruntime",
)  # fmt: skip

ROOT = Path(__file__).parents[3]
CODE = ("src", "native", "benchmarks/*.py", "pyproject.toml", "CMakeLists.txt")


def origin(command: str) -> dict[str, Any]:
    """Return the command that measured, with date, commit, machine and versions.

    `modified` says whether the code differed from that commit; outside a clone both are None.
    """
    commit = _git("rev-parse", "--short", "HEAD")
    changes = _git("status", "--porcelain", "--", *CODE)
    return {
        "command": command,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit or None,
        "modified": None if changes is None else changes != "",
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
    """Return what git prints for the clone that this file is in, not for any repository around an
    installation; None if there is no clone or git fails.
    """
    if not (ROOT / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    widths = [flag for flag in ("avx2", "avx512f", "amx_tile") if f" {flag}" in flags]
    return f"{names[0] if names else platform.machine()} ({', '.join(widths)})"
