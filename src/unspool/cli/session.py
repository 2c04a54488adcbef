"""Settings that a command makes before it computes."""

import warnings

import jax
import platformdirs


def prepare() -> None:
    """Cache compiled programs between commands, so that a command starts faster the second time."""
    cache = platformdirs.user_cache_path("unspool") / "xla"
    settings = {
        "jax_compilation_cache_dir": str(cache),
        "jax_persistent_cache_min_compile_time_secs": 0.1,
        "jax_persistent_cache_min_entry_size_bytes": 0,
    }
    for name, value in settings.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]
    # A cache that cannot be read or written, or an entry cut short by a kill, only costs time.
    warnings.filterwarnings("ignore", message=".*persistent compilation cache entry")
