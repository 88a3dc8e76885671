"""A report as data, which the HTML and the PDF page both show."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from smash.workbench.report.display_tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Listing:
    """Text to be shown as it stands, such as a spec."""

    title: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A figure with its caption; `key` names it within the report."""

    key: str
    caption: str
    figure: "Figure"


@dataclass(frozen=True)
class Film:
    """A film with its caption, an animated GIF; in print its first frame."""

    key: str
    caption: str
    gif: bytes


Block: TypeAlias = Text | Listing | Picture | Film | Table


@dataclass(frozen=True)
class Section:
    """A heading, of level 1 or 2, and what stands below it; a folded one is opened by a click."""

    title: str
    blocks: tuple[Block, ...] = ()
    level: int = 1
    folded: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the figures say of a data set, in short and in full."""

    short: str
    full: str = ""


@dataclass(frozen=True)
class Report:
    """Title, a line on where it comes from, verdicts, notes on what is missing, sections."""

    title: str
    origin: str
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = field(default_factory=tuple)

    def tables(self) -> Iterator[Table]:
        """Yields the tables in the order in which they are numbered."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Table))

    def films(self) -> Iterator[Film]:
        """Yields the films in their order."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Film))

    def pictures(self) -> Iterator[Picture]:
        """Yields the figures that are drawn in the order in which they are numbered."""
        for section in self.sections:
            yield from (block for block in section.blocks if isinstance(block, Picture))
