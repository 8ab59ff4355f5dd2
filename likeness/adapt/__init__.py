"""Identity adapters: a person in, tokens and the arithmetic of single blocks out, for a denoiser that stays as it is.

A system here is a network with the published names that says how it is used; see ``person.Adapter``. ``split`` parts it
into an encoder, which runs once and turns a ``Person`` into ``Tokens``, and one module per block of the denoiser, which
runs at every step. The host's sampler decides whom each row of a batch shows, when, where and how much. One that has a
say in the prompt is a ``Speaker`` too, see ``words``; one that came with a LoRA is ``Tuned``, see ``person``.
"""

from . import arc2face, arc2face_expression, consistentid, facechain_fact, pva, wplus_adapter
from .person import Adapter, Person, Site, Tokens, Tuned, check_layout
from .words import ClipText, Contrary, Phase, Speaker, TextEncoder, Words

__all__ = [
    "SYSTEMS",
    "Adapter",
    "ClipText",
    "Contrary",
    "Person",
    "Phase",
    "Site",
    "Speaker",
    "TextEncoder",
    "Tokens",
    "Tuned",
    "Words",
    "check_layout",
]

SYSTEMS = (
    facechain_fact.SYSTEM,
    arc2face.SYSTEM,
    arc2face_expression.SYSTEM,
    consistentid.SYSTEM,
    pva.SYSTEM,
    wplus_adapter.SYSTEM,
)
