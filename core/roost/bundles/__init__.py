"""Bundles: definitions from archives, client configurations and commands, and how they start."""

from roost.bundles.apps import DESCRIBE, AppDescription, LauncherOutput, read_description
from roost.bundles.environment import base_environment, prepare_environment
from roost.bundles.fields import missing_fields
from roost.bundles.identity import config_hash
from roost.bundles.install import read_bundle
from roost.bundles.install_place import InstalledBundle
from roost.bundles.packages import needs_lookup
from roost.bundles.plan import plan_bundle
from roost.bundles.prepare import plan_prepare
from roost.bundles.render import FilledIn, fill_in, render
from roost.bundles.settings import changed_definition, check_after, differences
from roost.bundles.strategy import check_strategy
from roost.bundles.strays import clear_strays
from roost.bundles.unpacked import BundleFolders
from roost.bundles.user_config import displayed
from roost.bundles.versions import carried_over, check_misfits, is_same_content, secret_fields
from roost.bundles.workers import worker_directory

__all__ = [
    "DESCRIBE",
    "AppDescription",
    "BundleFolders",
    "FilledIn",
    "InstalledBundle",
    "LauncherOutput",
    "base_environment",
    "carried_over",
    "changed_definition",
    "check_after",
    "check_misfits",
    "check_strategy",
    "clear_strays",
    "config_hash",
    "differences",
    "displayed",
    "fill_in",
    "is_same_content",
    "missing_fields",
    "needs_lookup",
    "plan_bundle",
    "plan_prepare",
    "prepare_environment",
    "read_bundle",
    "read_description",
    "render",
    "secret_fields",
    "worker_directory",
]
