"""Why a bundle is down: the ordered check of one bundle, and what it rests on."""

from roost.engine.why.check import OrderedCheck

__all__ = ["OrderedCheck"]
