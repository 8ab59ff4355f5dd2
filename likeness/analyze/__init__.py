"""Analysis: images and the faces in them in, what a model sees in each face out."""

from . import facexformer
from .analysis import Analysis
from .reading import holds, to_records, to_table, to_tags

SYSTEMS = (facexformer.SYSTEM,)

__all__ = ["SYSTEMS", "Analysis", "holds", "to_records", "to_table", "to_tags"]
