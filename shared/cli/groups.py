"""The command line's groups, each imported when it is used: a start costs what is needed for it."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

GROUPS: Mapping[str, str] = {
    "accounts": "Connect accounts, rotate their credentials, see what depends on them.",
    "engines": "Let workflow engines in, and out.",
    "workflows": "See what engines have told of, and what is still behind.",
    "rollouts": "Follow a rotation until every engine has it.",
    "proof": "Fetch the proof of a rollout, and check one offline.",
    "catalog": "See what there is to connect to; check, publish, certify and retire it.",
    "licence": "See and say what a brand may use.",
    "install": "Install an extension, after a look at what that accepts.",
    "installations": "See what is installed, what it accepted, and what its end would touch.",
    "domains": "See and say which domains an extension may reach.",
    "uninstall": "End all access to an extension.",
    "extensions": "See and say for whom an installed extension is enabled.",
    "members": "See and say who is on the brand's list of members.",
    "access": "See and say who may use an account, who owns it, and why.",
    "support": "Whom to turn to.",
    "held": "What could not be applied yet: look, try again, drop.",
    "outcome": "What came of a command.",
    "contracts": "Publish the contracts, and check that they only grow.",
}
"""What each is for; it is the typer application of the module of its name beside this one."""


class Groups(TyperGroup):
    """A typer application of this class has the groups beside its own commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, help_ in GROUPS.items():
            self.commands.setdefault(name, _Unloaded(name, help_))


class _Unloaded(TyperGroup):
    """Stands in a list of commands for a group that nobody has used yet."""

    def __init__(self, name: str, help_: str) -> None:
        super().__init__(name=name, help=help_)

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Return the context of the group itself, so that this one is never invoked."""
        loaded = load(self.name or "")
        return loaded.make_context(info_name, args, parent, **extra)


def load(name: str) -> TyperGroup | TyperCommand:
    """Import a group."""
    loaded = typer.main.get_command(import_module(f"{__package__}.{name}").app)
    if not isinstance(loaded, TyperGroup | TyperCommand):
        raise TypeError(f"{name} is no group of commands.")
    return loaded
