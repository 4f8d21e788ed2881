"""The JVM's cache of loaded and linked classes, with which Kafka starts in half the time.

It is bound to the runtime, the jars and the options, so its name is made of them.
"""

import hashlib
from pathlib import Path

from deploy.local.jars import LOCK, cache_folder, jars_folder
from deploy.local.java import LEAN, java_binary


def cache_file(cache: Path) -> Path:
    about = [LOCK.read_text(encoding="utf-8"), str(jars_folder(cache)), str(java_binary()), *LEAN]
    digest = hashlib.sha256("\n".join(about).encode()).hexdigest()[:16]
    return cache / f"kafka-{digest}.aot"


def options(cache: Path) -> tuple[str, ...]:
    """Return what makes the JVM use the cache, if there is one; a wrong one it leaves alone."""
    file = cache_file(cache)
    return (f"-XX:AOTCache={file}", "-Xlog:aot=off") if file.exists() else ()


def is_missing() -> bool:
    return not cache_file(cache_folder()).exists()
