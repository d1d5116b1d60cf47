"""Bundles: definitions from archives, client configurations and commands, and how they start."""

from roost.bundles.environment import base_environment, prepare_environment
from roost.bundles.fields import missing_fields
from roost.bundles.identity import config_hash
from roost.bundles.install import InstalledBundle, read_bundle
from roost.bundles.prepare import plan_prepare
from roost.bundles.render import render
from roost.bundles.unpacked import BundleFolders
from roost.bundles.user_config import displayed

__all__ = [
    "BundleFolders",
    "InstalledBundle",
    "base_environment",
    "config_hash",
    "displayed",
    "missing_fields",
    "plan_prepare",
    "prepare_environment",
    "read_bundle",
    "render",
]
