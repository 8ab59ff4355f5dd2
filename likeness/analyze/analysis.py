"""What an analyzer tells of faces that it looks at once."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import Attributes, HeadPose, Landmarks, ParsingMap, PerFace


@dataclass(frozen=True, eq=False)
class Analysis(PerFace):
    """Attributes, and what else the system's one pass gives."""

    attributes: Attributes
    head_pose: HeadPose | None = None
    landmarks: Landmarks | None = None
    parsing: ParsingMap | None = None

    def __len__(self) -> int:
        return len(self.faces)
