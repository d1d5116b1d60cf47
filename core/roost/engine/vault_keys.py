"""`VaultKeys`: where the vault's key is kept, and its rotation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from roost.clock import Clock
from roost.errors import RoostError, StoreUnavailable, VaultUnavailable
from roost.models import KeyPlace, VaultView
from roost.settings.daemon_settings import DaemonSettings
from roost.store.base import CredentialRows, Store
from roost.vault import (
    FieldCipher,
    KeyChoice,
    KeyFile,
    KeyHolder,
    KeySet,
    Vault,
    key_id,
    new_key,
    open_keys,
    remembers_keys,
)

logger = logging.getLogger(__name__)


class VaultKeys:
    """Shows and replaces the key of an open vault.

    The new key is kept beside the old one before anything is sealed with it, every value is sealed
    anew in one transaction, and only then the old key is dropped. Wherever that is cut short, the
    keys that are kept open every value, and `settle` finishes it at the next start.

    Args:
        holder: keeps the keys.
        keys: what it holds.
        vault: is told which keys to use.
        rows: all stored values.
        clock: stamps rotations.
    """

    def __init__(
        self, holder: KeyHolder, keys: KeySet, vault: Vault, rows: CredentialRows, clock: Clock
    ) -> None:
        self._holder = holder
        self._keys = keys
        self.vault = vault
        self._rows = rows
        self._clock = clock
        self._lock = asyncio.Lock()
        """Guards the keys: one rotation at a time."""

    @property
    def described(self) -> str:
        """Where the key is kept, in words."""
        return self._holder.described

    async def settle(self) -> None:
        """Finish what a rotation or a start with a previous key has left, before anything writes.

        A value that no key opens stays as it is; it can be set again.

        Raises:
            StoreUnavailable: the stored values cannot be read or written.
        """
        if isinstance(self._holder, KeyFile):
            self._holder.remove_drafts()
        await self._rows.reinstate_key(key_id(self._keys.newest))
        if not self._keys.former:
            return
        cipher, former = FieldCipher(self._keys), self._former_ids()
        if any(key in former for key in await self._rows.key_ids()):
            count = await self._rows.reseal(
                _where_possible(cipher), retired=former, at=self._clock.now()
            )
            logger.info("sealed %d values with the vault key %s", count, cipher.key_id)
        await self._drop_former()

    async def view(self) -> VaultView:
        """Say where the key is kept and what it opens."""
        counts = await self._rows.key_ids()
        values, newest = sum(counts.values()), key_id(self._keys.newest)
        behind = values - counts.get(newest, 0)
        return VaultView(
            place=self._holder.place,
            described=self._holder.described,
            key_id=newest,
            values=values,
            values_of_former_keys=behind,
            rotated_at=await self._rows.rotated_at(),
        )

    async def rotate(self) -> VaultView:
        """Seal every value with a new key and forget the former one; no process is respawned.

        Raises:
            Refused: the key is given by the settings.
            VaultUnavailable: the new key cannot be kept, or a value cannot be opened; every value
                is sealed as before.
            StoreUnavailable: the same, because of the database.
        """
        async with self._lock:
            both = self._keys.behind(new_key())
            await asyncio.to_thread(self._holder.keep, both)
            # Writers go on sealing with the old key, whose values the store refuses after the
            # transaction, so that none of them is left behind when the old key is dropped.
            self.vault.use(KeySet(self._keys.newest, both.all))
            try:
                await self._reseal(both)
            except RoostError:
                await self._take_back(both)
                raise
            self._use(both)
            await self._drop_former()
            logger.info("the vault key is %s now", key_id(both.newest))
            return await self.view()

    async def _reseal(self, keys: KeySet) -> None:
        former = tuple(key_id(key) for key in keys.former)
        await self._rows.reseal(FieldCipher(keys).resealed, retired=former, at=self._clock.now())

    async def _take_back(self, both: KeySet) -> None:
        """Forget a new key that has sealed nothing; keep both where that is not certain."""
        try:
            has_sealed = key_id(both.newest) in await self._rows.key_ids()
        except StoreUnavailable:
            return  # the next start finds both keys and settles it
        if has_sealed:
            self._use(both)
            return
        self.vault.use(self._keys)
        try:
            await asyncio.to_thread(self._holder.keep, self._keys)
        except VaultUnavailable:
            logger.warning("a vault key that is not used yet is kept until the next start")

    async def _drop_former(self) -> None:
        """Keep only the newest key; a failure leaves the former ones until the next start."""
        self._use(self._keys)
        if self._holder.place in (KeyPlace.ENVIRONMENT, KeyPlace.GIVEN_FILE):
            logger.info("ROOST_VAULT_KEY_PREVIOUS is not needed any more")
            return
        try:
            await asyncio.to_thread(self._holder.keep, self._keys.alone())
        except VaultUnavailable as error:
            logger.warning("the former vault key is kept until the next start: %s", error.message)
            return
        self._use(self._keys.alone())

    def _use(self, keys: KeySet) -> None:
        self._keys = keys
        self.vault.use(keys)

    def _former_ids(self) -> tuple[str, ...]:
        return tuple(key_id(key) for key in self._keys.former)


def _where_possible(cipher: FieldCipher) -> Callable[[str, str, str, bytes], bytes]:
    def reseal(workspace: str, bundle: str, field: str, ciphertext: bytes) -> bytes:
        try:
            return cipher.resealed(workspace, bundle, field, ciphertext)
        except VaultUnavailable:
            logger.warning("no vault key opens %r of %s/%s", field, workspace, bundle)
            return ciphertext

    return reseal


async def open_vault(
    settings: DaemonSettings,
    directory: Path,
    store: Store,
    clock: Clock,
    environ: Mapping[str, str],
) -> VaultKeys:
    """Find or make the key, and finish a rotation that was cut short.

    Args:
        settings: say whether the key is given, and where else to keep it.
        directory: private directory of what is kept about the key; made when missing.
        store: holds the values.
        clock: stamps writes.
        environ: the daemon's environment.

    Raises:
        VaultUnavailable: the key cannot be read or made.
    """
    given, previous = settings.vault_key, settings.vault_key_previous
    choice = KeyChoice(
        given=given.text if given else None,
        given_file=settings.vault_key_file,
        previous=previous.text if previous else None,
        store=settings.vault_key_store,
    )
    is_empty = remembers_keys(directory) or not await store.credentials.key_ids()
    holder, keys = await asyncio.to_thread(
        open_keys, choice, directory, store.data_id, environ, is_empty=is_empty
    )
    vault = Vault(store.credentials, keys, clock)
    vault_keys = VaultKeys(holder, keys, vault, store.credentials, clock)
    await vault_keys.settle()
    return vault_keys
