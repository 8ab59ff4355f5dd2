"""Where bytes come from, with the headers that are wanted there; and how patiently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..manifest import Source


@dataclass(frozen=True)
class Address:
    """Where bytes come from."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    hub: bool = False  # its first answer states the sha256 of a large file

    def __str__(self) -> str:
        return self.url.split("?")[0]  # what follows may be a secret


@dataclass(frozen=True)
class Network:
    """How patient the client is."""

    timeout: float = 30.0  # seconds without a byte
    attempts: int = 5  # in a row that bring nothing new
    pause: float = 1.0  # seconds before the second attempt, doubled before each further one
    patience: float = 120.0  # the longest pause, in seconds, that a server may ask for
    chunk: int = 1 << 18  # bytes


PATIENT = Network()
AGENT = {"user-agent": "likeness"}


def address_of(source: Source) -> Address:
    """The address of a source that can be downloaded.

    HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are huggingface-hub's own, read by it when it is imported.

    Raises:
        ConnectionError: The offline switch is on.
    """
    from huggingface_hub import constants, get_token, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise ConnectionError(f"{source}: not asked, for HF_HUB_OFFLINE is set: unset it.")
    if source.kind == "hub":
        url = hf_hub_url(source.repo, source.path, revision=source.revision)
        # not by build_hf_headers, which since 2.x asks the hub which agent runs it before it names itself
        token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
        return Address(url, AGENT | ({"authorization": f"Bearer {token}"} if token else {}), hub=True)
    return Address(source.url, AGENT)
