"""The ComfyUI binding: one module per task, each listing its NODES."""

import logging

from comfy_api.latest import ComfyExtension, io

from . import detect, embed, faces, landmark

TASKS = (faces, detect, landmark, embed)


class LikenessExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [node for task in TASKS for node in task.NODES if is_sound(node)]


def is_sound(node: type[io.ComfyNode]) -> bool:
    """Whether ComfyUI can show the node; it drops the whole pack for one that it cannot."""
    try:
        node.GET_SCHEMA()
    except Exception:
        logging.exception("Likeness: %s is left out, its schema is broken", node.__name__)
        return False
    return True
