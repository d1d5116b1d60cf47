"""The vault: credentials as ciphertext in the store, their key outside it, and the scrubbing of
captured output.
"""

from roost.vault.cipher import FieldCipher
from roost.vault.credentials import CredentialRows, Vault
from roost.vault.key_set import KeySet, key_id, new_key
from roost.vault.keys import KEY_FILE, GivenKey, KeyFile, KeyHolder, load_key
from roost.vault.opening import KeyChoice, open_keys, remembers_keys
from roost.vault.scrub import REPLACEMENT, SHORTEST_VALUE, Scrubber, StreamScrubber
from roost.vault.values import normalized, problem_with, value_text

__all__ = [
    "KEY_FILE",
    "REPLACEMENT",
    "SHORTEST_VALUE",
    "CredentialRows",
    "FieldCipher",
    "GivenKey",
    "KeyChoice",
    "KeyFile",
    "KeyHolder",
    "KeySet",
    "Scrubber",
    "StreamScrubber",
    "Vault",
    "key_id",
    "load_key",
    "new_key",
    "normalized",
    "open_keys",
    "problem_with",
    "remembers_keys",
    "value_text",
]
