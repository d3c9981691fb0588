"""GetFolder and FindFolder."""

from __future__ import annotations

from ..context import Context
from ..fields import FOLDER, element_of
from ..fragments import effective_rights, folder_id
from ..model import CALENDAR_CLASS, Folder
from ..soap import Element, Refused, SoapFault, T, answer, failure, success, tag
from ..versions import SCHEMAS
from .batch import batch
from .restrictions import Restriction

_DEFAULT = ("DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount")
_ALL = frozenset(FOLDER) - {"ExtendedProperty", "ManagedFolderInformation"}


def get_folder(context: Context) -> str:
    """Return folders by id."""
    wanted = read_shape(context)

    def one(element: Element) -> str:
        found = context.folder(element)
        return f"<m:Folders>{written(context, found, wanted)}</m:Folders>"

    return batch(context, "GetFolder", context.find("FolderIds"), one, "<m:Folders/>")


def find_folder(context: Context) -> str:
    """Return the folders below others, one page for each parent."""
    wanted = read_shape(context)
    deep = context.operation.get("Traversal") == "Deep"
    restriction = Restriction.read(context.operation)
    messages = []
    for element in context.find("ParentFolderIds"):
        try:
            parent = context.folder(element)
            found = [one for one in _below(context, parent, deep) if _matches(restriction, one)]
            messages.append(success("FindFolder", _page(context, found, wanted)))
        except Refused as refusal:
            messages.append(failure("FindFolder", refusal))
    return answer("FindFolder", messages)


def read_shape(context: Context) -> frozenset[str]:
    """Return the names of the elements that a FolderShape asks for. Raises SoapFault."""
    shape = context.find("FolderShape")
    base = shape.findtext(f"{T}BaseShape")
    wanted = set(_DEFAULT if base == "Default" else _ALL if base == "AllProperties" else ())
    for path in shape.iterfind(f"{T}AdditionalProperties/{T}FieldURI"):
        try:
            wanted.add(element_of(path.get("FieldURI", "")))
        except ValueError as problem:
            raise SoapFault("ErrorSchemaValidation", f"Unknown FieldURI {problem}.") from problem
    if SCHEMAS.index(context.schema) < SCHEMAS.index("Exchange2013"):
        wanted.discard("DistinguishedFolderId")
    return frozenset(wanted)


def _below(context: Context, parent: Folder, deep: bool) -> list[Folder]:
    children = [f for f in context.store.folders_of(parent.owner) if f.parent == parent.number]
    if not deep:
        return children
    return [one for child in children for one in (child, *_below(context, child, True))]


def _matches(restriction: Restriction | None, folder: Folder) -> bool:
    values = {"FolderClass": folder.folder_class, "DisplayName": folder.name}
    return restriction is None or restriction.matches(lambda path: values.get(path, ""))


def _page(context: Context, found: list[Folder], wanted: frozenset[str]) -> str:
    view = context.operation.find("{*}IndexedPageFolderView")
    offset, most = 0, len(found)
    if view is not None:
        offset, most = int(view.get("Offset", "0")), int(view.get("MaxEntriesReturned", most))
    shown = found[offset : offset + most]
    end = offset + len(shown)
    inside = "".join(written(context, folder, wanted) for folder in shown)
    is_last = str(end >= len(found)).lower()
    return (
        f'<m:RootFolder IndexedPagingOffset="{end}" TotalItemsInView="{len(found)}" '
        f'IncludesLastItemInRange="{is_last}"><t:Folders>{inside}</t:Folders></m:RootFolder>'
    )


def written(context: Context, folder: Folder, wanted: frozenset[str]) -> str:
    """Write a folder in the shape asked for."""
    is_calendar = folder.folder_class.startswith(CALENDAR_CLASS)
    kind = {"IPF.Contact": "ContactsFolder", "IPF.Task": "TasksFolder"}.get(folder.folder_class)
    kind = "CalendarFolder" if is_calendar else kind or "Folder"
    children = sum(one.parent == folder.number for one in context.store.world.folders.values())
    values = {
        "ParentFolderId": folder_id("ParentFolderId", folder.parent, 1) if folder.parent else "",
        "FolderClass": tag("FolderClass", folder.folder_class) if folder.folder_class else "",
        "DisplayName": tag("DisplayName", folder.name),
        "TotalCount": tag("TotalCount", len(folder.items)),
        "ChildFolderCount": tag("ChildFolderCount", children),
        "EffectiveRights": effective_rights(context.may_write(folder)),
        "DistinguishedFolderId": tag("DistinguishedFolderId", folder.distinguished)
        if folder.distinguished
        else "",
        "UnreadCount": "" if is_calendar or kind == "ContactsFolder" else tag("UnreadCount", 0),
    }
    parts = [folder_id("FolderId", folder.number, folder.changed)]
    parts += [values[name] for name in FOLDER if name in wanted and name in values]
    return f"<t:{kind}>{''.join(parts)}</t:{kind}>"
