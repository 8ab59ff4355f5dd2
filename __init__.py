"""ComfyUI's entry point to the face and head nodes."""

WEB_DIRECTORY = "./js"


async def comfy_entrypoint():
    from .nodes import LikenessExtension  # here, not above: importing the pack must not need ComfyUI

    return LikenessExtension()
