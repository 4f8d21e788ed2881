"""Brands, manifests and refusals, for tests of the commands about extensions."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from typer.testing import CliRunner

from deploy.cli import app
from services.catalog.jobs import EXAMPLES
from tests.cli.living import Living, Told
from tests.waiting import until


@dataclass(frozen=True, slots=True)
class Inside(Living):
    """Runs commands in this process: a process for each costs more than most of them."""

    def keyturn(self, *words: str, stdin: str | None = None) -> Told:
        result = CliRunner().invoke(app, words, input=stdin or "", env=dict(self.surroundings))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Told(result.exit_code, result.stdout, result.stderr)


def given_brand(one: Living, brand: str, *extensions: str) -> Living:
    """Return the stack as a brand with this licence sees it, once that has come everywhere."""
    theirs = one.of_brand(brand)
    named = [word for slug in extensions for word in ("--extension", slug)]
    theirs.good("licence", "set", *named)
    until(lambda: all(_is_known(theirs, slug) for slug in extensions))
    return theirs


def _is_known(brand: Living, extension: str) -> bool:
    told = brand.keyturn("installations", "review", extension, "-o", "json")
    if told.code:
        return False
    is_implicit = told.data["review"]["party"] == "first"
    return not is_implicit or brand.keyturn("domains", "list", extension).code == 0


def written(folder: Path, slug: str, **changes: object) -> str:
    """Write the manifest of an extension of its own that is like the example."""
    manifest = yaml.safe_load((EXAMPLES / "loud-mail.yaml").read_text())
    manifest |= {"slug": slug, "publisher": slug, **changes}
    file = folder / f"{slug}.yaml"
    file.write_text(yaml.safe_dump(manifest))
    return str(file)


def refused(told: Told, code: int, says: str) -> bool:
    assert (told.code, told.out) == (code, ""), told
    assert says in told.sentences, told
    return True
