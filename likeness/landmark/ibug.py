"""iBUG's 68 points: jaw 0 to 16, brows to 26, nose to 35, eyes to 47, outer lips to 59, inner lips to 67.

Each part begins at the image's left; eyes and lips go on clockwise.
Source: Sagonas et al., 300 Faces in-the-Wild Challenge, ICCV workshop 2013.
"""

POINTS, JAW = 68, 17
# The point that takes each point's place in a mirrored image.
MIRRORED: tuple[int, ...] = (*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1))
MIRRORED += (45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40)
MIRRORED += (*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65)
