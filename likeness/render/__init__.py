"""Rendering: heads and cameras in, pictures out."""

SYSTEMS = ()
