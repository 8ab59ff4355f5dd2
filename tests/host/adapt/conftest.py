"""Each test that asks for ``case`` runs on every adapter in ``cases.CASES``."""

import pytest
import torch

import seeding
from host.adapt.cases import CASES, House

CONTEXT, WIDTH, HEADS = 768, 320, 8  # of the recorded block


def noise(name, *shape):
    return seeding.noise(name, torch.Size(shape)).float()


@pytest.fixture(scope="session")
def house(session):
    return House.of()


@pytest.fixture(scope="session", params=CASES, ids=lambda case: case.name)
def case(request, house):
    """An adapter as its loader gives it, with the kind of model it is for."""
    house.tested[:] = [request.param]
    return request.param, house.binding.Adapter(request.param.network(house))


@pytest.fixture(scope="session")
def core_block(session):
    """Core's block with the recorded cross-attention, whose self-attention and feed-forward give nothing."""
    from comfy.ldm.modules.attention import BasicTransformerBlock

    block = BasicTransformerBlock(WIDTH, HEADS, WIDTH // HEADS, context_dim=CONTEXT)
    for held in block.parameters():
        held.data = torch.zeros(held.shape)
    given = {"norm2": block.norm2, **{f"to_{part}": getattr(block.attn2, f"to_{part}") for part in "qkv"}}
    given["to_out.0"] = block.attn2.to_out[0]
    for name, module in given.items():
        for leaf, held in module.named_parameters():
            spread = (3 / held.shape[-1]) ** 0.5
            held.data = noise(f"base.{name}.{leaf}", *held.shape) * spread + (f"{name}.{leaf}" == "norm2.weight")
    return block.eval()
