"""R text as a script: its statements done one after the other, down to the one model it asks for."""

from __future__ import annotations

from mix2stan.rtext.script import Script, read_script
from mix2stan.rtext.values import is_list, node_of

__all__ = ["Script", "is_list", "node_of", "read_script"]
