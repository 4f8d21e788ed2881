"""Why a domain rule is refused: a closed set of codes, each with a sentence that says what to do.

A sentence repeats little of what was typed: shortened, in printable characters, and never what may
be a secret (user information, a path, a query).
"""

from collections.abc import Mapping
from typing import Literal

DomainProblem = Literal[
    "empty",
    "too_long",
    "scheme",
    "path",
    "user_info",
    "wildcard_misplaced",
    "slot_not_allowed",
    "slot_misplaced",
    "slot_without_pattern",
    "slot_unused",
    "slot_pattern",
    "slot_value",
    "wildcard_with_slot",
    "ip_literal",
    "single_label",
    "special_use",
    "public_suffix",
    "unknown_suffix",
    "wildcard_spans_owners",
    "mixed_scripts",
    "looks_like_another",
    "bad_character",
    "bad_hyphen",
    "empty_label",
    "bad_international",
    "port_empty",
    "port_invalid",
]

_SENTENCES: Mapping[DomainProblem, str] = {
    "empty": "There is nothing here: write a name such as `api.example.com`.",
    "too_long": (
        "This is too long: a name has at most 253 characters, and at most 63 between two dots; "
        "write the name alone."
    ),
    "scheme": "A rule has no scheme: leave out what stands before the name, and write {instead}.",
    "path": "A rule has no path or query: leave out what follows the name, and write {instead}.",
    "user_info": (
        "A rule has no user name or password: leave out `@` and what stands before it, and write "
        "{instead}."
    ),
    "wildcard_misplaced": (
        "`*` stands for whole labels at the beginning and nowhere else: write `*.example.com` for "
        "everything below `example.com`, or list the names."
    ),
    "slot_not_allowed": (
        "Only an extension's manifest has slots in braces: write the name itself, such as "
        "`acme.example.com`."
    ),
    "slot_misplaced": (
        "A slot is `{{name}}` in small letters, digits and underscores; it is the whole host, "
        "whole labels at the beginning, or the port: write `{{host}}`, `{{instance}}.example.com` "
        "or `example.com:{{port}}`."
    ),
    "slot_without_pattern": (
        "The slot `{slot}` has no pattern: add a regular expression that its whole value must "
        "match."
    ),
    "slot_unused": "There is a pattern for `{slot}`, which the rule does not name: take it out.",
    "slot_pattern": (
        "The pattern of `{slot}` cannot be used ({why}): write a regular expression of characters, "
        "classes, groups, `|` and repetitions."
    ),
    "slot_value": (
        "The value of `{slot}` does not match what the extension expects there: correct the "
        "account's setting."
    ),
    "wildcard_with_slot": (
        "A rule has a `*` or slots, not both: leave out `*.`, so that an account adds exactly the "
        "host of its settings."
    ),
    "ip_literal": (
        "This is an IP address, or is read as one: write the name of the host, such as "
        "`api.example.com`."
    ),
    "single_label": (
        "`{name}` is a single label, which means another host in each network: write the full "
        "name, such as `{name}.example.com`."
    ),
    "special_use": (
        "`{name}` is reserved for private or special use and is not on the internet: write a "
        "public name; a private host can be allowed by who operates Keyturn."
    ),
    "public_suffix": (
        "Everyone can register below `{name}`, which belongs to nobody in particular: write the "
        "registered name below it, such as `acme.{name}`."
    ),
    "unknown_suffix": (
        "Nobody registers names below `.{last}`, as far as the Public Suffix List knows: check "
        "how the end of `{name}` is spelt."
    ),
    "wildcard_spans_owners": (
        "Below `{name}` live several owners who have nothing to do with each other: write the name "
        "of the one that is meant, such as `acme.{name}`. A manifest that needs all of "
        "them says why."
    ),
    "mixed_scripts": (
        "`{name}` mixes scripts that no language mixes, so it could pass for another name: write "
        "it in one script."
    ),
    "looks_like_another": (
        "`{name}` has letters that pass for others, so it could pass for another name: write the "
        "name that is meant in the letters that it is registered in."
    ),
    "bad_character": (
        "{character} cannot stand in a name: write letters, digits, hyphens and dots alone."
    ),
    "bad_hyphen": (
        "`{name}` has a label that begins or ends with a hyphen: check the hyphens in it."
    ),
    "empty_label": (
        "There is nothing between two dots, or before the first: write one dot between two "
        "labels, and `*.example.com` for what is below `example.com`."
    ),
    "bad_international": (
        "`{name}` is no valid international name: write it in the letters of its language, or copy "
        "the whole `xn--` form from where it is registered."
    ),
    "port_empty": "There is no port behind the colon: write it, or leave the colon out for 443.",
    "port_invalid": (
        "A port is a number from 1 to 65535, without leading zeros: write it as in "
        "`example.com:8443`."
    ),
}

_LONGEST = 60


class DomainError(ValueError):
    """A rule, or a value for a slot, that is refused. Its text is a sentence for people."""

    def __init__(self, problem: DomainProblem, message: str) -> None:
        super().__init__(message)
        self.problem: DomainProblem = problem
        self.message = message


def refusal(problem: DomainProblem, *, instead: str = "", **typed: str) -> DomainError:
    """Return what to raise. `instead` was made by this package; the rest somebody typed."""
    parts = {name: printable(text) for name, text in typed.items()}
    return DomainError(problem, _SENTENCES[problem].format_map({**parts, "instead": instead}))


def printable(text: str) -> str:
    """Shorten, and replace what moves a cursor, is invisible, or would end a quotation."""
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if not one.isprintable() else "'" if one == "`" else one
        for one in short
    )
