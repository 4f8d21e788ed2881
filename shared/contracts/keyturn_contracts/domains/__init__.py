"""Domain rules: what an extension may connect to, how it is written, refused and matched. Pure."""

from keyturn_contracts.domains.owners import SUFFIX_LIST_VERSION
from keyturn_contracts.domains.problems import DomainError, DomainProblem
from keyturn_contracts.domains.rule import Rule, parse_rule, read_rule
from keyturn_contracts.domains.ruleset import Connection, ConnectionCode, RuleSet
from keyturn_contracts.domains.template import Template, check_template, fill, parse_template

__all__ = [
    "SUFFIX_LIST_VERSION",
    "Connection",
    "ConnectionCode",
    "DomainError",
    "DomainProblem",
    "Rule",
    "RuleSet",
    "Template",
    "check_template",
    "fill",
    "parse_rule",
    "parse_template",
    "read_rule",
]
