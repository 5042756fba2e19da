"""What names, digests and signatures in a manifest must look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True)
class Pattern:
    """What a text in the manifest must look like.

    Parameters
    ----------
    expression : str
        A regular expression that Python and JSON Schema (ECMA 262) read alike.
    wrong : str
        What to say of a text that does not match; ``{}`` stands for the text.
    """

    expression: str
    wrong: str

    def matches(self, text: str) -> bool:
        """Return whether a text looks as it must."""
        return re.search(self.expression, text) is not None


# Relative, with forward slashes, no '.' or '..' in it and no control characters.
_PART = r"(?!\.{1,2}(/|$))[^/\\\u0000-\u001f\u007f]+"
FILE_NAME = Pattern(rf"^{_PART}(/{_PART})*(?!\n)$", "the file name '{}' points out of the bundle")
DIGEST = Pattern(r"^[0-9a-f]{64}(?!\n)$", "'{}' is not a SHA-256 in hexadecimal")
FINGERPRINT = Pattern(r"^SHA256:[A-Za-z0-9+/]{43}(?!\n)$", "'{}' is not the fingerprint of a key")
# 64 bytes.
SIGNATURE_VALUE = Pattern(r"^[A-Za-z0-9+/]{86}==(?!\n)$", "'{}' is not an Ed25519 signature in base64")

FileName = Annotated[str, FILE_NAME]
Digest = Annotated[str, DIGEST]
