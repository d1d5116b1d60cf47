"""The vault: credentials as ciphertext in the store, their key outside it, and the scrubbing of
captured output.
"""

from roost.vault.credentials import CredentialRows, Vault
from roost.vault.keys import KEY_FILE, GivenKey, KeyFile, KeyStore, load_key
from roost.vault.scrub import REPLACEMENT, SHORTEST_VALUE, Scrubber, StreamScrubber
from roost.vault.values import normalized, problem_with, value_text

__all__ = [
    "KEY_FILE",
    "REPLACEMENT",
    "SHORTEST_VALUE",
    "CredentialRows",
    "GivenKey",
    "KeyFile",
    "KeyStore",
    "Scrubber",
    "StreamScrubber",
    "Vault",
    "load_key",
    "normalized",
    "problem_with",
    "value_text",
]
