"""Identity adapters: a person in, tokens and the arithmetic of single blocks out, for a denoiser that stays as it is.

A system here is a network with the published names that says how it is used; see ``person.Adapter``. ``split`` parts it
into an encoder, which runs once and turns a ``Person`` into ``Tokens``, and one module per block of the denoiser, which
runs at every step. The host's sampler decides whom each row of a batch shows, when, where and how much.
"""

from . import facechain_fact, wplus_adapter
from .person import Adapter, Person, Site, Tokens, check_layout

__all__ = ["SYSTEMS", "Adapter", "Person", "Site", "Tokens", "check_layout"]

SYSTEMS = (facechain_fact.SYSTEM, wplus_adapter.SYSTEM)
