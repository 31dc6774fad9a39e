"""The idx format of MNIST and its relatives: a header that says everything, then the numbers, big-endian.

    bytes 0-1: zero | byte 2: type code | byte 3: number of axes d | d unsigned 32-bit sizes | the entries

What the header announces is compared with what the file holds before anything of that size is allocated.
Reference: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits (1998).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_GZIP_MAGIC = b"\x1f\x8b"

_LARGEST_INFLATION = 1032
"""deflate cannot grow a byte into more than this many: a bound on what a compressed file may announce."""


def read_idx(path: Path) -> NDArray[Any]:
    """The array in the idx file `path`, gzip-compressed or plain, in the type in which it is stored.

    Raises
    ------
    DomainError
        The file is no idx file, or is shorter or longer than its header says, or its compression is broken.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
    try:
        # Unbuffered, gzip would deliver a few kilobytes a call; plain files need no second buffer.
        with gzip.open(path) if compressed else path.open("rb", buffering=0) as file:
            return _parse(path, file, size * _LARGEST_INFLATION if compressed else size)  # type: ignore[arg-type]
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DomainError(
            f"'{path}' ({size} bytes) cannot be decompressed ({error}).",
            "The download was cut short, or the file was damaged on its way.",
            "Fetch the file again and compare its length or checksum with the publisher's.",
        ) from error


_MOST_AXES = 8


def _parse(path: Path, file: IO[bytes], at_most: int) -> NDArray[Any]:
    """The array in the open `file`, which holds `at_most` bytes."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DomainError(
            f"'{path}' starts with the bytes '{magic.hex(' ')}'; an idx file starts with '00 00'.",
            "It is another kind of file under the name of an idx file.",
            "Give an idx file, such as MNIST's train-images-idx3-ubyte, or a .npy file.",
        )
    code, axes = magic[2], magic[3]
    if code not in _TYPES:
        raise DomainError(
            f"'{path}' has the type code 0x{code:02x}; the idx format knows "
            + ", ".join(f"0x{known:02x}" for known in _TYPES)
            + ".",
            "The header is damaged, or this is another kind of file that also starts with two zero bytes.",
            "Fetch the file again, or store the samples as a .npy file.",
        )
    header = file.read(4 * axes)
    if len(header) < 4 * axes:
        _refuse_length(path, f"ends within its header ({4 + len(header)} of {4 + 4 * axes} bytes)")
    shape = struct.unpack(f">{axes}I", header)
    if not 1 <= axes <= _MOST_AXES or 0 in shape:
        _refuse_length(path, f"announces the shape {shape[:_MOST_AXES]}, with {axes} axes")
    dtype = np.dtype(_TYPES[code])
    expected = math.prod(shape) * dtype.itemsize
    announced = f"its header announces {' x '.join(map(str, shape))} entries, which is {expected} bytes"
    if expected > at_most:
        _refuse_length(path, f"is too short: {announced}, and the whole file holds at most {at_most}")
    content = file.read(expected)
    if len(content) < expected:
        _refuse_length(path, f"is too short: {announced}, and {len(content)} follow")
    if file.read(1):
        _refuse_length(path, f"is too long: {announced}, and more follow")
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def _refuse_length(path: Path, found: str) -> NoReturn:
    raise DomainError(
        f"'{path}' {found}.",
        "The file was cut short or written in part, or its header is damaged.",
        "Fetch the file again and compare its length or checksum with the publisher's.",
    )
