"""Between ComfyUI's 3D payloads and ours: MESH, LOAD3D_CAMERA. Nothing else knows core's formats.

Core's world is ours, right-handed with y up. Its cameras look along their own -z; ours have OpenCV's axes.
"""

import inspect
import math
from collections.abc import Sequence

import torch
from comfy_api.latest import Types
from scipy.spatial.transform import Rotation
from torch import Tensor

from ..likeness.render.camera import AXES, pinhole
from ..likeness.render.textured import vertex_normals
from ..likeness.types3d import Cameras, Mesh

FIELD_OF_VIEW = 40.0  # degrees; core's, where a camera has none
FRONT = {"position": {"x": 0.0, "y": 0.0, "z": 2.0}, "target": {"x": 0.0, "y": 0.0, "z": 0.0}, "zoom": 1.0}
FRONT |= {"fov": FIELD_OF_VIEW, "cameraType": "perspective"}


def from_mesh(mesh: Mesh, texture: Tensor | None = None) -> Types.MESH:
    """MESH of N items, with smooth normals, and with an (N, h, w, 3) texture where there is one."""
    count = len(mesh)
    normals = [vertex_normals(vertices, mesh.triangles) for vertices in mesh.vertices]
    fields = {
        "vertices": mesh.vertices,
        "faces": mesh.triangles.expand(count, -1, -1),
        "uvs": None if mesh.uv is None else mesh.uv.expand(count, -1, -1),
        "vertex_colors": None if mesh.colors is None else mesh.colors.pow(2.2),  # core's are linear
        "texture": texture,
        "normals": torch.stack(normals) if normals else mesh.vertices,
    }
    known = inspect.signature(Types.MESH).parameters  # it has grown, and in the middle
    return Types.MESH(**{name: value for name, value in fields.items() if name in known})


def to_meshes(payload: Types.MESH) -> list[tuple[Mesh, Tensor | None]]:
    """Each item of a MESH as a mesh of its own, with its (1, h, w, 3) texture where it has one."""
    return [_item(payload, row) for row in range(len(payload.vertices))]


def _item(payload: Types.MESH, row: int) -> tuple[Mesh, Tensor | None]:
    vertices, faces = (None if n is None else int(n[row]) for n in (payload.vertex_counts, payload.face_counts))
    uv, colors, texture = payload.uvs, payload.vertex_colors, payload.texture
    mesh = Mesh(
        payload.vertices[row : row + 1, :vertices].float().cpu(),
        payload.faces[row, :faces].long().cpu(),
        None if uv is None else uv[row, :vertices].float().cpu(),
        None if colors is None else colors[row : row + 1, :vertices, :3].float().cpu().clamp(0, 1).pow(1 / 2.2),
    )
    shown = texture is not None and uv is not None
    return mesh, texture[row : row + 1, ..., :3].float().cpu() if shown else None


def from_cameras(cameras: Sequence[Cameras]) -> dict:
    """LOAD3D_CAMERA: the first camera for core's nodes, and all of them under ``heads`` for ours."""
    heads = [_from_camera(part, row) for part in cameras for row in range(len(part))]
    return {**(heads[0] if heads else FRONT), "heads": heads}


def to_cameras(payload: dict, count: int, image_size: tuple[int, int]) -> list[Cameras]:
    """A camera for each of ``count`` meshes; a single one is for all.

    Raises:
        ValueError: There are as many neither as meshes nor as one.
    """
    rows = payload.get("heads") or [payload]
    rows = rows * count if len(rows) == 1 else rows
    if len(rows) != count:
        raise ValueError(f"Expected 1 or {count} cameras for {count} meshes, got {len(rows)}: connect theirs.")
    return [_to_camera(row, image_size) for row in rows]


def _from_camera(cameras: Cameras, row: int) -> dict:
    (height, width), intrinsics = cameras.image_size, cameras.intrinsics[row].double()
    rotation, shift = cameras.extrinsics[row, :3, :3].double(), cameras.extrinsics[row, :3, 3].double()
    position = -rotation.T @ shift
    distance = float(shift[2].abs().clamp(min=1e-3))
    scale = float(intrinsics[1, 1]) if cameras.orthographic else float(intrinsics[1, 1]) / distance  # pixels a metre
    half = height / 2 / scale
    quaternion = Rotation.from_matrix((rotation.T * AXES.double()).numpy()).as_quat()
    camera = {
        "position": _xyz(position),
        "target": _xyz(position + rotation[2] * distance),
        "quaternion": dict(zip("xyzw", quaternion.tolist(), strict=True)),
        "zoom": 1.0,
        "cameraType": "orthographic" if cameras.orthographic else "perspective",
        "fov": 2 * math.degrees(math.atan(half / distance)),
        "aspect": width / height,
        "near": distance / 100,
        "far": distance * 100,
    }
    if cameras.orthographic:
        side = half * width / height
        camera["frustum"] = {"left": -side, "right": side, "top": half, "bottom": -half}
    return camera


def _to_camera(camera: dict, image_size: tuple[int, int]) -> Cameras:
    height, zoom = image_size[0], float(camera.get("zoom") or 1)
    position, target = _tensor(camera.get("position")), _tensor(camera.get("target"))
    orthographic, frustum = camera.get("cameraType") == "orthographic", camera.get("frustum")
    focal = height / 2 / math.tan(math.radians(float(camera.get("fov") or FIELD_OF_VIEW)) / 2)  # pixels
    if orthographic:  # pixels a metre
        high = frustum["top"] - frustum["bottom"] if frustum else height * float((target - position).norm()) / focal
        focal = height / high
    extrinsics = torch.eye(4, dtype=torch.float64)
    extrinsics[:3, :3] = AXES.double()[:, None] * _axes(camera, target - position).T
    extrinsics[:3, 3] = -extrinsics[:3, :3] @ position
    return Cameras(image_size, pinhole(focal * zoom, image_size)[None], extrinsics[None].float(), orthographic)


def _axes(camera: dict, forward: Tensor) -> Tensor:
    """(3, 3) the camera's own x, y and z in the world, as columns."""
    if turned := camera.get("quaternion"):
        return torch.from_numpy(Rotation.from_quat([turned[name] for name in "xyzw"]).as_matrix())
    back = -forward / forward.norm().clamp(min=1e-9)
    up = torch.tensor([0.0, 1, 0] if abs(float(back[1])) < 0.999 else [0.0, 0, -1], dtype=torch.float64)
    right = torch.linalg.cross(up, back)
    right = right / right.norm()
    return torch.stack([right, torch.linalg.cross(back, right), back], 1)


def _xyz(point: Tensor) -> dict[str, float]:
    return dict(zip("xyz", point.tolist(), strict=True))


def _tensor(point: dict | None) -> Tensor:
    return torch.tensor([float((point or {}).get(name, 0)) for name in "xyz"], dtype=torch.float64)
