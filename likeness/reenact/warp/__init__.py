"""One photo, bent: the face by the triangles of its mesh, the rest of the head by a smooth field."""
