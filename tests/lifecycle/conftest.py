"""Fixtures of the lifecycle's tests."""

from tests.support.app_imports import clean_imports

__all__ = ["clean_imports"]
