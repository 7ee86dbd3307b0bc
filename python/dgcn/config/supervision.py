"""Which supervision the segmentation network is trained on, and the parameters of every kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, make_dataclass, replace
from typing import Any

from dgcn.checks import require
from dgcn.supervision import KINDS, Supervision, find_supervision

_TAKEN = ("classifier", "cues", "data")


@dataclass(frozen=True)
class SupervisionSection:
    """What the segmentation network is trained on, rebuilt at every step."""

    kind: str = "graph_cut"
    """static, region_growing, graph_cut, joint_cut, most_probable, or a class of your own as
    package.module:Class. The section of that name holds its parameters."""
    name: str | None = None
    """Folder of the training in the run folder. None: the kind."""
    options: dict[str, Any] = field(default_factory=dict)
    """Parameters of a class of your own."""

    def __post_init__(self) -> None:
        folder = self.folder
        legal = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", folder) is not None
        rule = f"None or of letters, digits and _ . + - and none of {', '.join(_TAKEN)}"
        require(self, "name", legal and folder not in _TAKEN, rule)
        required = self.kind not in KINDS or not self.options
        require(self, "options", required, "empty for a kind that has a section of its own")
        try:
            self.method  # noqa: B018 - what is wrong with it is said before anything runs
        except TypeError as error:
            raise ValueError(f"options do not suit {self.kind}: {error}") from None

    @property
    def folder(self) -> str:
        """Name of the training's folder."""
        return self.name or self.kind.rpartition(":")[2]

    @property
    def method(self) -> Supervision:
        """The supervision with its parameters."""
        if self.kind in KINDS:
            found: Supervision = getattr(self, self.kind)
            return found
        made: Supervision = find_supervision(self.kind)(**self.options)
        return made

    def of(self, kind: str, name: str | None = None, **changes: Any) -> SupervisionSection:
        """The same section with a kind, a folder, and some of the kind's parameters changed."""
        section = replace(self, kind=kind, name=name)
        if not changes:
            return section
        return replace(section, **{kind: replace(getattr(section, kind), **changes)})


# One section for each registered kind: a new kind brings its own. A kind without parameters has a
# field, and nothing to be set.
SupervisionConfig: type[SupervisionSection] = make_dataclass(
    "SupervisionConfig",
    [
        (name, kind, field(default_factory=kind, init=bool(fields(kind))))
        for name, kind in KINDS.items()
    ],
    bases=(SupervisionSection,),
    frozen=True,
    namespace={"__doc__": SupervisionSection.__doc__},
)
