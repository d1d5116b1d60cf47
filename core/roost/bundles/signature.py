"""The signature block that `mcpb sign` puts behind an archive.

It is read, not believed: nothing here checks a chain of certificates, so a name proves nothing.
What an operator reviewed is told from anything else by its SHA-256.
"""

from __future__ import annotations

import os
import struct
import warnings
from dataclasses import dataclass
from typing import IO

from roost.bundles.user_config import displayed

_START = b"MCPB_SIG_V1"
_END = b"MCPB_SIG_END"
_HEAD_BYTES = len(_START) + 4

LONGEST_BYTES = 2**20
"""Real blocks have some kilobytes."""

_NAME_LIMIT = 200


@dataclass(frozen=True, slots=True)
class SignatureBlock:
    """A signature block at the end of a file."""

    begins_at: int
    """Offset in bytes; the signed archive is what stands before it."""
    data: bytes
    """PKCS#7 in DER, or whatever stands in its place."""

    @property
    def size(self) -> int:
        """Bytes of the whole block."""
        return _HEAD_BYTES + len(self.data) + len(_END)


def find_signature(file: IO[bytes]) -> SignatureBlock | None:
    """Return the signature block at the end of an open file, or None when there is none."""
    end = file.seek(0, os.SEEK_END)
    tail_at = max(0, end - (LONGEST_BYTES + _HEAD_BYTES + len(_END)))
    file.seek(tail_at)
    tail = file.read(end - tail_at)
    if not tail.endswith(_END):
        return None
    at = tail.rfind(_START)
    while at >= 0:
        (length,) = struct.unpack_from("<L", tail.ljust(at + _HEAD_BYTES, b"\0"), at + len(_START))
        if at + _HEAD_BYTES + length + len(_END) == len(tail):
            return SignatureBlock(tail_at + at, tail[at + _HEAD_BYTES : -len(_END)])
        at = tail.rfind(_START, 0, at)
    return None


def cut_off(file: IO[bytes], block: SignatureBlock) -> None:
    """Give a private copy of a signed archive the bytes that were signed.

    Newer signers write the length of the block into the archive's comment length afterwards.
    """
    file.truncate(block.begins_at)
    at = block.begins_at - 2
    if at < 0:
        return
    file.seek(at)
    if file.read(2) == struct.pack("<H", block.size & 0xFFFF):
        file.seek(at)
        file.write(b"\0\0")


def signer_of(block: SignatureBlock) -> str | None:
    """Return who a signature block names, for people; None when nobody can be made out."""
    from cryptography.hazmat.primitives.serialization import pkcs7
    from cryptography.x509.oid import NameOID

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the official tool writes BER, not DER
            certificates = pkcs7.load_der_pkcs7_certificates(block.data)
        subjects = [certificate.subject for certificate in certificates]
        names = [
            str(attribute.value)
            for subject in subjects[:1]
            for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)
            for attribute in subject.get_attributes_for_oid(oid)
        ]
    except Exception:  # noqa: BLE001 - parsers of foreign bytes raise anything; it proves nothing
        return None
    return displayed(", ".join(dict.fromkeys(names)))[:_NAME_LIMIT] or None
