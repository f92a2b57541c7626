"""Numbers, times and foreign text as a person reads them on a terminal. Pure."""

from collections.abc import Sequence
from typing import Final

from daemon.model.passes import PassResult

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")


def count(number: int, noun: str) -> str:
    """`1 message`, `10,600 messages`."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def size(octets: float) -> str:
    """`950 bytes`, `3.7 MB`, `371 MB`: three digits at most."""
    amount, unit = float(octets), 0
    while amount >= 999.5 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    digits = 1 if unit > 0 and amount < 9.95 else 0
    return f"{amount:.{digits}f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """`8 s`, `5 min`, `3 h 20 min`, `2 d 4 h`."""
    whole = int(seconds)
    if whole < 60:
        return f"{max(0, whole)} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 86_400:
        hours, minutes = whole // 3600, whole % 3600 // 60
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = whole // 86_400, whole % 86_400 // 3600
    return f"{days} d {hours} h" if hours else f"{days} d"


def printable(text: str) -> str:
    """The text on one line without anything that could steer a terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def outcome(result: PassResult) -> str:
    """What a sync did, in one line."""
    parts = [
        f"{number:,} {what}"
        for number, what in (
            (result.downloaded, "downloaded"),
            (result.uploaded, "uploaded"),
            (result.moved, "moved"),
            (result.flags_changed, "flags changed"),
            (result.removed_here, "removed here"),
            (result.expunged_there, "removed there"),
        )
        if number
    ]
    parts = parts or ["nothing to do"]
    if result.failed:
        parts.append(f"{result.failed:,} left for later")
    if result.held:
        parts.append(f"{count(result.held, 'deletion')} held until somebody approves")
    return ", ".join(parts)


def table(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Lines with aligned columns; `right` tells which are numbers."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(right))]
    return [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]
