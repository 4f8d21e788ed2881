"""One service over HTTP: health, metrics and its queries, on loopback unless TLS says otherwise."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Generator, Sequence

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from uvicorn import Config, Server

from shared.http.at_once import AnswersAtOnce, AtOnce, QuickRouter
from shared.http.errors import answer_errors
from shared.http.heads import BoundedHeads
from shared.http.limits import Limits
from shared.messaging.context import Context
from shared.settings import HttpSettings
from shared.telemetry.health import Health

_GRACE_SECONDS = 3


class HttpProblem(RuntimeError):  # noqa: N818  its text is the sentence that the operator reads
    """The address cannot be served; the text says what to do."""


def build_app(context: Context, health: Health, routers: Sequence[APIRouter]) -> FastAPI:
    """Return the application; every query of a router is below `/v1/`."""
    app = FastAPI(
        title=f"keyturn {context.settings.service}",
        # The pages would load scripts from elsewhere; the document itself stays.
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = context
    app.add_middleware(Limits)
    # Added last, it is asked first.
    if at_once := _at_once(routers):
        app.add_middleware(AnswersAtOnce, answers=at_once)
    answer_errors(app)
    app.include_router(_own_routes(health))
    for router in routers:
        app.include_router(router)
    return app


def _at_once(routers: Sequence[APIRouter]) -> dict[str, AtOnce]:
    quick = [one for one in routers if isinstance(one, QuickRouter)]
    return {path: answer for router in quick for path, answer in router.at_once.items()}


def _own_routes(health: Health) -> APIRouter:
    router = APIRouter()

    @router.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        missing = health.missing
        return JSONResponse(
            {"ready": not missing, "missing": missing}, status_code=503 if missing else 200
        )

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


def listen(http: HttpSettings) -> socket.socket:
    """Return a socket that is bound, or raise `HttpProblem`: before anything else has started."""
    if not (http.tls_certificate or http.tls_ends_before_me or _is_loopback(http.host)):
        raise HttpProblem(
            f"{http.host} can be reached from elsewhere, and tokens would pass in clear: give a "
            "certificate (tls_certificate, tls_key), or say that TLS ends before this service "
            "(tls_ends_before_me)."
        )
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((http.host, http.port))
    except OSError as error:
        listener.close()
        raise HttpProblem(
            f"{http.host}:{http.port} cannot be listened at ({error.strerror}): is another "
            "process there? Stop it, or choose another port."
        ) from None
    return listener


async def serve(
    app: FastAPI, http: HttpSettings, listener: socket.socket, stop: asyncio.Event
) -> None:
    """Serve until `stop` is set; then answer what is in hand, and return."""
    server = _Server(
        Config(
            app,
            http=BoundedHeads,
            loop="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ssl_certfile=http.tls_certificate,
            ssl_keyfile=http.tls_key,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    stopping = asyncio.create_task(stop.wait(), name="http stop")
    try:
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        serving.cancel()


class _Server(Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # Signals are the runtime's: it stops the parts of a service in their order.
        yield


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
