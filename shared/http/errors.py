"""The one body of every error over HTTP: a name for programs, a sentence for people."""

from typing import Literal, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

ErrorName = Literal[
    "invalid",
    "not_authenticated",
    "not_allowed",
    "not_found",
    "conflict",
    "revision_unknown",
    "too_large",
    "too_many_requests",
    "not_ready",
    "internal",
]

STATUS: dict[ErrorName, int] = {
    "invalid": 422,
    "not_authenticated": 401,
    "not_allowed": 403,
    "not_found": 404,
    "conflict": 409,
    # The condition under which an answer was wanted does not hold: it would be an older one.
    "revision_unknown": 412,
    "too_large": 413,
    "too_many_requests": 429,
    "not_ready": 503,
    "internal": 500,
}
_NAME: dict[int, ErrorName] = {status: name for name, status in STATUS.items()}


class ErrorBody(BaseModel):
    """What a client reads where something went wrong."""

    error: ErrorName
    message: str


class ApiError(Exception):
    """Raised by a route to answer with an error; nothing of it is logged as a fault.

    What is another brand's and what does not exist look alike: `not_found`.
    """

    def __init__(self, error: ErrorName, message: str) -> None:
        super().__init__(message)
        self.error: ErrorName = error
        self.message = message


def answer_errors(app: FastAPI) -> None:
    """Have every error of `app` answered with an `ErrorBody`; none quotes what was sent."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _fault)


def answer(error: ErrorName, message: str, status: int | None = None) -> JSONResponse:
    """Return the response that says so."""
    body = ErrorBody(error=error, message=message)
    headers = {"Cache-Control": "no-store"}
    if error == "not_authenticated":
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body.model_dump(), status or STATUS[error], headers)


async def _api_error(_request: Request, error: Exception) -> JSONResponse:
    known = cast("ApiError", error)
    return answer(known.error, known.message)


async def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    known = cast("RequestValidationError", error)
    found = {
        f"{'.'.join(str(part) for part in one['loc'])} ({one['type']})" for one in known.errors()
    }
    return answer("invalid", f"The request is not as described: {', '.join(sorted(found))}.")


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    known = cast("HTTPException", error)
    name = _NAME.get(known.status_code, "invalid")
    return answer(name, str(known.detail), known.status_code)


async def _fault(_request: Request, _error: Exception) -> JSONResponse:
    return answer("internal", "Something failed here; the service's log says what.")
