"""Where everything is: for people as a table, for programs as JSON without a secret in it."""

import sys
from pathlib import Path
from typing import Any

import psutil

from deploy.local import kafka, postgres, redis
from deploy.local.plan import Plan
from deploy.local.ports import LOOPBACK
from deploy.local.roles import ROLES, database_of, role_of
from deploy.local.services import SERVICES
from deploy.local.status import PartStatus, Status

_PRINCIPALS = (kafka.ADMIN, *SERVICES, "backend", "engine")


def addresses(plan: Plan, status: Status) -> dict[str, Any]:
    """Return every address that a program needs, and in which files the passwords are."""
    return {
        "state": status.state,
        "supervisor": status.supervisor,
        "data": str(plan.data.root),
        "durability": "demonstration: one broker, one copy",
        "kafka": _kafka(plan),
        "postgres": _postgres(plan),
        "redis": _redis(plan),
        "services": {
            name: {
                "url": f"http://{LOOPBACK}:{port}",
                "state": status.parts[name].state if name in status.parts else "absent",
                "settings_file": str(plan.data.settings_of(name)),
                "log_file": str(plan.data.log_of(name)),
            }
            for name, port in plan.http_ports.items()
        },
        "issuers": str(plan.data.issuers),
        "parts": {name: _part(plan, name, part) for name, part in status.parts.items()},
    }


def rows(plan: Plan, status: Status) -> list[dict[str, Any]]:
    """Return a row for each part and service, and one for what supervises them."""
    supervisor = PartStatus(state="ready", pid=status.supervisor)
    everything = {"supervisor": supervisor, **status.parts}
    return [{"part": name, **_part(plan, name, part)} for name, part in everything.items()]


def _part(plan: Plan, name: str, part: PartStatus) -> dict[str, Any]:
    return {
        "state": part.state,
        "address": _address(plan, name),
        "pid": part.pid,
        "memory_mb": memory_mb(part.pid) if part.pid else None,
        "restarts": part.restarts,
        "last_exit": part.last_exit,
    }


def _address(plan: Plan, name: str) -> str | None:
    if name in plan.http_ports:
        return f"http://{LOOPBACK}:{plan.http_ports[name]}"
    known = {
        kafka.NAME: plan.kafka_admin.bootstrap,
        postgres.NAME: plan.postgres.host,
        redis.NAME: str(plan.redis_socket),
    }
    return known.get(name)


def _kafka(plan: Plan) -> dict[str, Any]:
    is_ours = plan.external.kafka is None
    principals = _PRINCIPALS if is_ours else _PRINCIPALS[1:]
    return {
        "bootstrap": plan.kafka_admin.bootstrap,
        "security_protocol": plan.kafka_admin.security_protocol,
        "principals": {
            name: {
                "mechanism": plan.kafka_of(name).mechanism,
                "password_file": str(plan.passwords.file_of(kafka.NAME, name)),
            }
            for name in principals
        },
        "external": not is_ours,
    }


def _postgres(plan: Plan) -> dict[str, Any]:
    return {
        "host": plan.postgres.host,
        "port": plan.postgres.port,
        "databases": {
            service: {
                "name": database_of(service),
                "roles": {
                    role: {
                        "name": role_of(service, role),
                        "password_file": str(
                            plan.passwords.file_of(postgres.NAME, role_of(service, role))
                        ),
                    }
                    for role in ROLES
                },
            }
            for service in SERVICES
        },
        "external": plan.external.postgres is not None,
    }


def _redis(plan: Plan) -> dict[str, Any]:
    theirs = plan.external.redis
    if theirs is not None:
        return {"host": theirs.host, "port": theirs.port, "user": theirs.user, "external": True}
    return {
        "socket": str(plan.redis_socket),
        "users": {
            name: {"password_file": str(plan.passwords.file_of(redis.NAME, name))}
            for name in SERVICES
        },
        "external": False,
    }


def memory_mb(pid: int) -> int | None:
    """Return the memory that would be free without this process, and without its own helpers.

    Shared pages are shared out (PSS). None where the system does not tell, or not to us.
    """
    if sys.platform != "linux":
        return None
    try:
        process = psutil.Process(pid)
        # PostgreSQL's processes are one part; the forks of a zygote are services of their own.
        family = process.children(recursive=True) if process.name() == "postgres" else []
        return round(sum(_pss_kb(one.pid) for one in (process, *family)) / 1024)
    except (psutil.Error, OSError):
        return None


def _pss_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
