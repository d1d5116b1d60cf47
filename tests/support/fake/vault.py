"""The vault of the fake: a key that is kept somewhere and can be replaced."""

from __future__ import annotations

from dataclasses import replace

from tests.support.fake.controls import FakeControls

from roost.errors import Refused
from roost.models import KeyPlace, VaultView


class FakeVault(FakeControls):
    """Says where the key is and replaces it."""

    async def vault(self) -> VaultView:
        self._begin("vault")
        return self._view()

    async def rotate_vault_key(self) -> VaultView:
        self._begin("rotate_vault_key")
        self._refuse_when_stopping()
        vault = self.world.vault
        if vault.place in (KeyPlace.ENVIRONMENT, KeyPlace.GIVEN_FILE):
            raise Refused("the vault's key is given by the settings; change it there")
        number = int(vault.key_id.removeprefix("k")) + 1
        self.world.vault = replace(vault, key_id=f"k{number}", rotated_at=self.clock.now())
        return self._view()

    def _view(self) -> VaultView:
        values = sum(len(bundle.values) for bundle in self.world.bundles.values())
        return replace(self.world.vault, values=values)
