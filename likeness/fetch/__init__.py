"""Weights that arrive whole: what is missing, brought and checked, once per machine.

``plan`` says what is there; ``download`` brings the rest, ``verify`` reads it all again, ``import_file`` takes what a
person has, ``accept`` keeps a person's consent. Each takes the ``Folders`` of an installation, the long ones a
``Watch`` that shows how far they are and stops them.
"""

from .address import Network
from .downloading import download
from .folders import WORKING, Folders
from .importing import Imported, import_file
from .licences import accept
from .planning import Have, Plan, discard, plan
from .shelf import Shelf
from .verifying import Verdict, verify
from .watch import Watch

__all__ = [
    "WORKING",
    "Folders",
    "Have",
    "Imported",
    "Network",
    "Plan",
    "Shelf",
    "Verdict",
    "Watch",
    "accept",
    "discard",
    "download",
    "import_file",
    "plan",
    "verify",
]
