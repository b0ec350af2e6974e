"""`public-names`: documents the public classes and functions of a package. The package is the list."""

from importlib import import_module
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from sdsiqa import public_classes


def names_of(module: Any, kind: type | None = None) -> list[str]:
    """Name what a package or a file offers: its own list, or its classes of one kind, the class itself first.

    Args:
        module: Package or file.
        kind: Class whose subclasses are named; `None`: what the module lists in `__all__`.
    """
    if kind is None:
        return [name for name in module.__all__ if not name.startswith("__")]
    if hasattr(module, "__path__"):
        found = public_classes(module.__name__)
    else:
        found = {name: item for name, item in vars(module).items() if isinstance(item, type)}
    return sorted(
        (name for name, item in found.items() if issubclass(item, kind)), key=lambda name: (found[name] is not kind, name)
    )


class PublicNames(SphinxDirective):
    """Writes an entry of autodoc for each name."""

    required_arguments = 1
    option_spec: ClassVar = {
        "kind": directives.unchanged_required,
        "only": directives.unchanged_required,
        "without": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Give the entries."""
        module = import_module(self.arguments[0])
        kind = getattr(module, self.options["kind"]) if "kind" in self.options else None
        names = self.options["only"].split() if "only" in self.options else names_of(module, kind)
        without = self.options.get("without", "").split()
        lines = []
        for name in names:
            item = getattr(module, name)
            if name in without or not callable(item):
                continue
            entry = "autoclass" if isinstance(item, type) else "autofunction"
            lines += [f".. {entry}:: {module.__name__}.{name}", *(["   :members:"] if isinstance(item, type) else []), ""]
        return self.parse_text_to_nodes("\n".join(["```{eval-rst}", *lines, "```"]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("public-names", PublicNames)
    return {"parallel_read_safe": True}
