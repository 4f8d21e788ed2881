"""What the lists of this service have in common."""

from typing import Annotated

from fastapi import Query

Search = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=128,
        pattern=r"^[^\x00]*$",
        description="What a member's id or name begins with, whatever its case.",
    ),
]
