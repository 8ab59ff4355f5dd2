"""Where nodes send what the canvas shows; here it goes to the log."""

import logging


class PromptServer:
    instance: "PromptServer"

    def send_progress_text(self, text: str, node_id: str) -> None:
        logging.info("%s: %s", node_id, text)


PromptServer.instance = PromptServer()
