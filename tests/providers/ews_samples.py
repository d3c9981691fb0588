"""Answers of Exchange in the shapes that were recorded; names and ids are made up."""

from __future__ import annotations

NAMESPACES = (
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
    ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"


def envelope(body: str) -> bytes:
    """Wrap an answer as Exchange does."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>'
        '<h:ServerVersionInfo MajorVersion="15" MinorVersion="1" MajorBuildNumber="2507"'
        f' MinorBuildNumber="6" Version="V2017_07_11" xmlns:h="{TYPES}"/></s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def message(operation: str, content: str, code: str = "NoError", kind: str = "Success") -> str:
    """Write one response message."""
    return (
        f'<m:{operation}ResponseMessage ResponseClass="{kind}">'
        f"<m:ResponseCode>{code}</m:ResponseCode>{content}</m:{operation}ResponseMessage>"
    )


def answer(operation: str, *messages: str) -> bytes:
    """Write the answer of an operation."""
    return envelope(
        f"<m:{operation}Response {NAMESPACES}><m:ResponseMessages>{''.join(messages)}"
        f"</m:ResponseMessages></m:{operation}Response>"
    )


def error(operation: str, code: str, inner: str = "") -> bytes:
    """Write an answer that refuses the one thing that was asked for."""
    return answer(operation, message(operation, inner, code, "Error"))


def told(**values: str) -> str:
    """Write the MessageXml of an error."""
    inside = "".join(f'<t:Value Name="{name}">{value}</t:Value>' for name, value in values.items())
    return f"<m:MessageXml>{inside}</m:MessageXml>"


def fault(code: str, *, detail: bool = True, back_off: str = "") -> bytes:
    """Write a SOAP fault, with or without its detail."""
    wait = (
        f'<t:MessageXml xmlns:t="{TYPES}"><t:Value Name="BackOffMilliseconds">{back_off}</t:Value>'
        "</t:MessageXml>"
    )
    inside = (
        f'<detail><e:ResponseCode xmlns:e="{ERRORS}">{code}</e:ResponseCode>'
        f'<e:Message xmlns:e="{ERRORS}">for ada@contoso.example</e:Message>'
        f"{wait if back_off else ''}</detail>"
    )
    return envelope(
        f'<s:Fault><faultcode xmlns:a="{TYPES}">a:{code}</faultcode>'
        f'<faultstring xml:lang="en-US">No.</faultstring>{inside if detail else ""}</s:Fault>'
    )


def item(content: str, remote_id: str = "AAMk1", change_key: str = "CQAA1") -> str:
    """Write a CalendarItem."""
    own = f'<t:ItemId Id="{remote_id}" ChangeKey="{change_key}"/>'
    return f"<t:CalendarItem>{own}{content}</t:CalendarItem>"


def got(*items: str) -> bytes:
    """Write an answer of GetItem."""
    return answer("GetItem", *(message("GetItem", f"<m:Items>{one}</m:Items>") for one in items))


def synced(state: str, changes: str = "", *, is_last: bool = True) -> bytes:
    """Write an answer of SyncFolderItems."""
    return answer(
        "SyncFolderItems",
        message(
            "SyncFolderItems",
            f"<m:SyncState>{state}</m:SyncState><m:IncludesLastItemInRange>"
            f"{str(is_last).lower()}</m:IncludesLastItemInRange><m:Changes>{changes}</m:Changes>",
        ),
    )
