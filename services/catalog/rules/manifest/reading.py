"""A manifest's text, and a folder's of them: read whole, or refused by the place that is wrong."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any, cast

import yaml
from keyturn_contracts.catalog import Manifest
from pydantic import ValidationError

from services.catalog.rules.manifest.error import ManifestError
from services.catalog.rules.manifest.judging import problems_of
from services.catalog.rules.manifest.sharing import Parts, expand, parts_of, used_by
from services.catalog.rules.manifest.wording import repeated

SHARED = "shared"
"""The folder, beside manifests, of what several of them share."""


def read_library(
    manifests: Mapping[str, str], shared: Mapping[str, str], private: Collection[str] = ()
) -> list[Manifest]:
    """Read manifests that share parts, each text by its name without `.yaml`; all or none.

    A manifest's name is its slug; a shared file's the family that its parts' names begin with.
    `private`: hosts that an operator allows although nobody else may reach them. `ManifestError`
    names the file, also for a shared part that nothing uses.
    """
    parts = read_parts(shared)
    found: list[Manifest] = []
    used: set[str] = set()
    for slug, text in sorted(manifests.items()):
        with _inside(f"{slug}.yaml"):
            given = _parse(text)
            used |= used_by(given, parts)
            manifest = _judged(*_understand(given, parts), private)
            if manifest.slug != slug:
                raise ManifestError(f"its slug is {manifest.slug}, so rename the file.")
            found.append(manifest)
    for name in sorted(parts.keys() - used):
        family = name.partition(".")[0]
        raise ManifestError(f"{SHARED}/{family}.yaml: nothing uses {name}, so take it out.")
    return found


def read_parts(shared: Mapping[str, str]) -> Parts:
    """Read what manifests share, each text by its family, or raise `ManifestError`."""
    parts: dict[str, Any] = {}
    for family, text in sorted(shared.items()):
        with _inside(f"{SHARED}/{family}.yaml"):
            parts |= parts_of(family, _parse(text))
    return parts


def read_manifest(text: str, parts: Parts | None = None, private: Collection[str] = ()) -> Manifest:
    """Read one manifest's YAML, with these shared parts, or raise `ManifestError`."""
    return _judged(*understand_manifest(text, parts or {}), private)


def understand_manifest(text: str, parts: Parts) -> tuple[Manifest, list[str]]:
    """Read one manifest's YAML without judging it, with a sentence for each key that is unknown.

    `ManifestError` where it breaks the contract.
    """
    return _understand(_parse(text), parts)


class _inside:  # noqa: N801  it reads as a statement
    """Says in which file something is wrong."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, ManifestError):
            raise ManifestError(f"{self._name}: {error}") from None


class _Loader(yaml.CSafeLoader):
    """Refuses a key that is given twice, where YAML's own loader would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002  the signature of its base
        names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
        for twice in repeated(names):
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {twice} is given twice", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


def _parse(text: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # noqa: S506  it is a safe loader, made stricter
    except yaml.YAMLError as error:
        raise ManifestError(f"This is not YAML: {error}.") from None


def _judged(manifest: Manifest, unknown: list[str], private: Collection[str]) -> Manifest:
    if problems := [*unknown, *problems_of(manifest, private)]:
        raise ManifestError(*problems)
    return manifest


def _understand(given: Any, parts: Parts) -> tuple[Manifest, list[str]]:
    try:
        whole = expand(given, parts)
    except RecursionError:
        raise ManifestError("Something in it contains itself.") from None
    try:
        manifest = Manifest.model_validate(whole)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise ManifestError(*(f"{_place(one['loc'])}: {one['msg']}." for one in found)) from None
    understood = manifest.model_dump(mode="json", exclude_unset=True)
    return manifest, [*_unknown_keys(whole, understood)]


def _unknown_keys(given: Any, known: Any) -> Iterator[str]:
    """Name what was given and is not in what was understood of it."""
    for place in sorted(set(_places(given)) - set(_places(known))):
        yield f"{_place(place)}: a manifest has no such key."


def _places(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield place
    if isinstance(value, dict):
        inside = cast("dict[str, Any]", value).items()
    else:
        inside = enumerate(cast("list[Any]", value) if isinstance(value, list) else ())
    for name, one in inside:
        yield from _places(one, (*place, str(name)))


def _place(steps: Iterable[str | int]) -> str:
    return ".".join(str(one) for one in steps) or "the manifest"
