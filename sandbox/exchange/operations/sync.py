"""SyncFolderItems and SyncFolderHierarchy."""

from __future__ import annotations

from ..context import Context
from ..fragments import folder_id
from ..ids import Id, SyncState, change_key, read_state, written, written_state
from ..model import Folder, Item
from ..occurrences import whole
from ..render import Shape, item, read_shape
from ..soap import Refused, SoapFault, answer, failure, success
from .folders import read_shape as read_folder_shape
from .folders import written as written_folder

MOST_CHANGES = 512


def sync_folder_items(context: Context) -> str:
    """Return what changed in a folder since a state, a page at a time."""
    text = context.operation.findtext("{*}MaxChangesReturned") or "0"
    most = int(text) if text.isdecimal() else 0
    if not 1 <= most <= MOST_CHANGES:
        raise SoapFault("ErrorSchemaValidation", "MaxChangesReturned must be from 1 to 512.")
    try:
        shape = read_shape(context.find("ItemShape"), context.schema, listing=True)
    except ValueError as problem:
        raise SoapFault("ErrorSchemaValidation", f"Unknown FieldURI {problem}.") from problem
    try:
        folder = context.folder(context.find("SyncFolderId")[0])
        state = _state(context, folder)
    except Refused as refusal:
        return answer("SyncFolderItems", [failure("SyncFolderItems", refusal, _NOTHING)])
    changes, after, is_last = _changes(context, folder, state, most, shape)
    if state.position and context.faults.take(context.caller.email, "unknown_kinds"):
        changes.append(_unknown(folder))
    inside = tag_m("SyncState", written_state(after)) + tag_m(
        "IncludesLastItemInRange", str(is_last).lower()
    )
    inside += f"<m:Changes>{''.join(changes)}</m:Changes>" if changes else "<m:Changes/>"
    return answer("SyncFolderItems", [success("SyncFolderItems", inside)])


def tag_m(name: str, text: str) -> str:
    """Return a simple element of the messages namespace."""
    return f"<m:{name}>{text}</m:{name}>"


_NOTHING = "<m:SyncState/><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>"


def _state(context: Context, folder: Folder) -> SyncState:
    text = context.operation.findtext("{*}SyncState")
    if not text:
        return SyncState(folder.number, folder.epoch, 0, 0)
    if context.faults.take(context.caller.email, "sync_state_dead"):
        raise Refused("ErrorInvalidSyncStateData")
    try:
        state = read_state(text)
    except ValueError:
        raise Refused("ErrorInvalidSyncStateData") from None
    if (state.folder, state.epoch) != (folder.number, folder.epoch):
        raise Refused("ErrorInvalidSyncStateData")
    return state


def _changes(
    context: Context, folder: Folder, state: SyncState, most: int, shape: Shape
) -> tuple[list[str], SyncState, bool]:
    owner = context.owner(folder)
    fresh = _after(folder.items, state.position)
    gone = [(at, number) for number, at in folder.gone.items() if at > state.position]
    rows: list[tuple[int, int, Item | None]] = [(one.changed, one.number, one) for one in fresh]
    # A first walk has nothing to take away.
    rows += [(at, number, None) for at, number in gone if state.position]
    rows.sort(key=lambda row: row[0])
    page, is_last = rows[:most], len(rows) <= most
    found = []
    for changed, number, one in page:
        if one is None:
            found.append(f"<t:Delete>{_item_id(number, changed)}</t:Delete>")
        elif context.may_see(folder, one):
            kind = "Create" if one.created > state.base else "Update"
            text = item(whole(one), shape, owner, folder.number, context.schema)
            found.append(f"<t:{kind}>{text}</t:{kind}>")
    position = page[-1][0] if page else max(state.position, folder.changed)
    if is_last:
        position = max(position, context.store.world.sequence)
    base = position if is_last else state.base
    return found, SyncState(folder.number, folder.epoch, base, position), is_last


def _after(items: dict[int, Item], position: int) -> list[Item]:
    """Return what changed after a position; the newest come last, so few are looked at."""
    found = []
    for one in reversed(items.values()):
        if one.changed <= position:
            break
        found.append(one)
    return found


def _item_id(number: int, changed: int) -> str:
    return (
        f'<t:ItemId Id="{written(Id("item", number))}" ChangeKey="{change_key("item", changed)}"/>'
    )


def _unknown(folder: Folder) -> str:
    inside = _item_id(folder.number + 1_000_000, folder.changed)
    return f"<t:Create><t:Booking>{inside}</t:Booking></t:Create>"


def sync_folder_hierarchy(context: Context) -> str:
    """Return which folders changed since a state."""
    wanted = read_folder_shape(context)
    name = "SyncFolderHierarchy"
    try:
        root = context.operation.find("{*}SyncFolderId")
        if root is not None:
            owner = context.folder(root[0]).owner
            parent = context.folder(root[0]).number
        else:
            found = context.store.distinguished(context.caller.email, "root")
            if found is None:
                raise Refused("ErrorMissingEmailAddress")
            owner, parent = found.owner, found.number
        text = context.operation.findtext("{*}SyncState")
        state = _hierarchy_state(text, parent)
    except Refused as refusal:
        return answer(name, [failure(name, refusal)])
    changes = []
    for one in context.store.folders_of(owner):
        if one.shaped > state.position and one.number != parent:
            kind = "Create" if one.made > state.position else "Update"
            changes.append(f"<t:{kind}>{written_folder(context, one, wanted)}</t:{kind}>")
    for number, gone in context.store.world.gone_folders.items():
        if gone.owner == owner and gone.at > state.position > 0:
            changes.append(f"<t:Delete>{folder_id('FolderId', number, gone.at)}</t:Delete>")
    position = context.store.world.sequence
    after = written_state(SyncState(parent, 0, position, position))
    inside = tag_m("SyncState", after) + tag_m("IncludesLastFolderInRange", "true")
    inside += f"<m:Changes>{''.join(changes)}</m:Changes>"
    return answer(name, [success(name, inside)])


def _hierarchy_state(text: str | None, parent: int) -> SyncState:
    if not text:
        return SyncState(parent, 0, 0, 0)
    try:
        state = read_state(text)
    except ValueError:
        raise Refused("ErrorInvalidSyncStateData") from None
    if state.folder != parent:
        raise Refused("ErrorInvalidSyncStateData")
    return state
