"""The examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import mix2stan

MODULES = [m.name for m in pkgutil.walk_packages(mix2stan.__path__, "mix2stan.")]


@pytest.mark.parametrize("name", [m for m in MODULES if m != "mix2stan.__main__"])
def test_the_examples_of_a_module_print_what_they_say(name):
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
