"""Reading the headers of a plain tar (POSIX.1-1988 "ustar"), and nothing that tar grew since.

The standard library's `tarfile` reads extended headers of any size into memory before a caller can look at
them, and follows links. A bundle needs plain files alone, so everything else is refused here, by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from edge_retrieve.runtime.bundle.patterns import FILE_NAME
from edge_retrieve.runtime.bundle.verify import check_amount
from edge_retrieve.runtime.errors import BundleError

_BLOCK = 512
_RECORD = 20 * _BLOCK  # tar fills its last record with zeros
_PACK = "Pack it with 'edge-retrieve bundle pack'"
_FETCH = "Fetch the bundle again from where it came from"
_REGULAR = b"0\0"
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a folder entry",
    b"6": "a pipe",
    b"K": "an extended header",
    b"L": "an extended header",
    b"S": "a sparse file",
    b"g": "an extended header",
    b"x": "an extended header",
}


@dataclass(frozen=True)
class Member:
    """One file of an archive.

    Parameters
    ----------
    name : str
        Relative, POSIX.
    offset, size : int
        Where its content lies in the archive, bytes.
    """

    name: str
    offset: int
    size: int


def read_members(stream: BinaryIO, where: str) -> dict[str, Member]:
    """Read every header of an archive and check that what it promises is there.

    Parameters
    ----------
    stream : binary file
        Seekable; read from its start.
    where : str
        The archive's name, for errors.

    Returns
    -------
    dict of str to Member
        By name, in the archive's order.

    Raises
    ------
    BundleError
        Where it is no plain tar, cut short, too large, holds anything but files, a name twice, or a name
        that leads out of the folder it is unpacked to.
    """
    length = stream.seek(0, 2)
    members: dict[str, Member] = {}
    total = position = 0
    while True:
        header = _header(stream, position, where)
        if not any(header):
            break
        member = _member(header, position + _BLOCK, where)
        if member.name in members:
            raise BundleError(f"'{member.name}' is in the archive twice", where=where, remedy=_FETCH)
        members[member.name] = member
        total += member.size
        check_amount(len(members), total, where)
        position = member.offset + -(-member.size // _BLOCK) * _BLOCK
        if position > length:
            raise BundleError(f"the archive ends inside '{member.name}'", where=where, remedy=_FETCH)
    _check_end(stream, position, length, where)
    return members


def _header(stream: BinaryIO, position: int, where: str) -> bytes:
    stream.seek(position)
    header = stream.read(_BLOCK)
    if len(header) < _BLOCK:
        raise BundleError("the archive is cut short", where=where, remedy=_FETCH)
    return header


def _check_end(stream: BinaryIO, position: int, length: int, where: str) -> None:
    """Hold that two blocks of zeros end the archive, and nothing but zeros follows in their record."""
    if length - position < 2 * _BLOCK:
        raise BundleError("the archive is cut short", where=where, remedy=_FETCH)
    stream.seek(position)
    if length - position > _RECORD + 2 * _BLOCK or any(stream.read(length - position)):
        raise BundleError("something follows the archive's end", where=where, remedy=_FETCH)


def _member(header: bytes, offset: int, where: str) -> Member:
    if header[257:265] != b"ustar\x0000":
        raise BundleError("this is not a plain tar archive (ustar)", where=where, remedy=_PACK)
    plain = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if _octal(header[148:156], where) != plain:
        raise BundleError("a header of the archive is damaged", where=where, remedy=_FETCH)
    try:
        name, prefix = (_text(header[start:end]).decode("utf-8") for start, end in ((0, 100), (345, 500)))
    except UnicodeDecodeError as error:
        raise BundleError("a file name in the archive is not UTF-8", where=where, remedy=_PACK) from error
    full = f"{prefix}/{name}" if prefix else name
    kind = header[156:157]
    if kind not in _REGULAR:
        what = _KINDS.get(kind, f"an entry of type {kind!r}")
        raise BundleError(f"'{full}' is {what}, a bundle holds plain files only", where=where, remedy=_PACK)
    if not FILE_NAME.matches(full):
        raise BundleError(FILE_NAME.wrong.format(full), where=where, remedy=_FETCH)
    return Member(full, offset, _octal(header[124:136], where))


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _octal(field: bytes, where: str) -> int:
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise BundleError("a number in a header of the archive is damaged", where=where, remedy=_FETCH)
    return int(digits, 8)
