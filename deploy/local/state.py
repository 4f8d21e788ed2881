"""What a stack remembers from one start to the next: its ports and where its sockets are."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.local.folder import write_private
from deploy.local.problems import StackProblem


class State(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ports: dict[str, int] = Field(default_factory=dict[str, int])
    sockets: Path | None = None

    def port(self, name: str) -> int:
        """Return the port of that name, 0 when none was chosen yet."""
        return self.ports.get(name, 0)

    @classmethod
    def read(cls, path: Path) -> Self:
        if not path.exists():
            return cls()
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            raise StackProblem(
                f"{path} cannot be read as the state of a stack: remove it, and new ports are "
                "chosen."
            ) from error

    def write(self, path: Path) -> None:
        write_private(path, self.model_dump_json(indent=2) + "\n")
