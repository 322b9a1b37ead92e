"""Reading a sidecar so that every part is known by its place in the bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

from eyefirst.errors import OutputError
from eyefirst.integrations.xmp_regions import MARK, RDF

SIDECAR_LIMIT_BYTES = 64 << 20


@dataclass(eq=False, slots=True)
class Node:
    """An element.

    name: namespace, a space, and the local name. start: where it begins in the bytes. closing: where its closing tag
    begins; equal to `end` for `<a/>`, which has none. end: where it ends.
    """

    name: str
    attributes: dict[str, str]
    start: int
    closing: int = 0
    end: int = 0
    text: str = ""
    children: list[Node] = field(default_factory=list)

    def all(self) -> Iterator[Node]:
        """Yield the elements inside, at any depth."""
        for child in self.children:
            yield child
            yield from child.all()

    def values(self, name: str) -> Iterator[str]:
        """Every text of that name inside, as an element or as an attribute: XMP allows both."""
        if name in self.attributes:
            yield self.attributes[name]
        for child in self.children:
            if child.name == name:
                yield child.text
            yield from child.values(name)


def rdf_of(data: bytes) -> Node:
    """The `rdf:RDF` of a sidecar."""
    if len(data) > SIDECAR_LIMIT_BYTES:
        raise refusal(f"has {len(data)} bytes, more than the {SIDECAR_LIMIT_BYTES} that are read at most")
    root = parsed(data)
    found = [node for node in (root, *root.children) if node.name == f"{RDF} RDF"]
    if len(found) != 1:
        raise refusal("is no XMP: it holds no rdf:RDF")
    return found[0]


def parsed(data: bytes) -> Node:
    """Return the root element of a sidecar. Raises OutputError for what is not well-formed, or not in UTF-8."""
    top = Node("", {}, 0)
    path = [top]
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def opened(name: str, attributes: dict[str, str]) -> None:
        node = Node(name, attributes, parser.CurrentByteIndex)
        path[-1].children.append(node)
        path.append(node)

    def closed(_: str) -> None:
        node, at = path.pop(), parser.CurrentByteIndex
        if not node.children and not node.text and data[at - 2 : at] == b"/>":  # <a/> was read to its end
            node.closing = node.end = at
        else:
            node.closing, node.end = at, data.index(b">", at) + 1

    def said(text: str) -> None:
        path[-1].text += text

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "utf8", "us-ascii"):
            raise refusal(f"is written in {encoding}, not in UTF-8")

    def typed(*_: object) -> None:
        raise refusal("has a document type, which XMP must not")

    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    parser.CharacterDataHandler, parser.XmlDeclHandler = said, declared
    parser.StartDoctypeDeclHandler = typed
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4]:
        raise refusal("is written in UTF-16 or UTF-32, not in UTF-8")
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise refusal(f"is not well-formed XML ({error})") from error
    return top.children[0]


def property_of(descriptions: Sequence[Node], name: str) -> Node | None:
    """Return the element of a property; None where there is none. Raises OutputError where there are several."""
    if any(name in description.attributes for description in descriptions):
        raise refusal(f"its {name.split()[1]} has a form that is not understood")
    found = [node for description in descriptions for node in description.children if node.name == name]
    if len(found) > 1:
        raise refusal(f"holds {name.split()[1]} more than once")
    return found[0] if found else None


def entries_of(listed: Node, what: str) -> list[Node]:
    """The entries of a property that is a list."""
    if not listed.children and not listed.text.strip():
        return []
    if len(listed.children) != 1 or listed.children[0].name not in (f"{RDF} Bag", f"{RDF} Seq"):
        raise refusal(f"its {what} have a form that is not understood")
    return [node for node in listed.children[0].children if node.name == f"{RDF} li"]


def body_of(structure: Node) -> Node:
    """Where the fields of a structure stand: in itself, or in the one description inside of it."""
    inner = structure.children
    return inner[0] if len(inner) == 1 and inner[0].name == f"{RDF} Description" else structure


def says(entry: Node, name: str) -> bool:
    """Whether a region is one of ours."""
    return any(text.strip().startswith(MARK) for text in entry.values(name))


def line_start(data: bytes, place: int) -> int:
    """The place itself, or where the white space of its line begins."""
    start = place
    while start > 0 and data[start - 1 : start] in (b" ", b"\t"):
        start -= 1
    return start if data[start - 1 : start] == b"\n" else place


def without_space_before(data: bytes, place: int) -> int:
    """Return where the white space before a place begins; the place itself where there is none."""
    while place > 0 and data[place - 1 : place].isspace():
        place -= 1
    return place


def refusal(reason: str) -> OutputError:
    return OutputError(reason, remedy="it was left as it is; mend it, or move it away")
