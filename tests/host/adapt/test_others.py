"""Beside other packs: core keeps one replacement of a block's cross-attention, and they all want it."""

import pytest
import torch

from host.adapt import toys


class Theirs:
    """The protocol of IPAdapter_plus: one object per block, which further callers add to."""

    def __init__(self, callback, **kwargs):
        self.callbacks = [(callback, kwargs)]

    def add(self, callback, **kwargs):
        self.callbacks.append((callback, kwargs))

    def __call__(self, q, k, v, options):
        from comfy.ldm.modules.attention import optimized_attention

        out = optimized_attention(q, k, v, options["n_heads"])
        for callback, kwargs in self.callbacks:
            if kwargs["sigma_end"] <= float(options["sigmas"][0]) <= kwargs["sigma_start"]:
                out = out + callback(out, q, k, v, options, **kwargs)
        return out


def shift(out, q, k, v, options, amount, sigma_start, sigma_end):
    return amount * torch.tanh(q)


def apply_theirs(house, model, kind, amount=0.5, sigma_start=1e9):
    """As IPAdapter_plus puts itself into a clone: by (name, number) on SD 1.5, by depth too on SDXL."""
    model = model.clone()
    to = model.model_options["transformer_options"] = model.model_options["transformer_options"].copy()
    to["patches_replace"] = {**to.get("patches_replace", {})}
    held = to["patches_replace"]["attn2"] = {**to["patches_replace"].get("attn2", {})}
    for key in house.sizes(kind):
        key = key[:2] if kind == "sd15" else key
        given = {"amount": amount, "sigma_start": sigma_start, "sigma_end": 0.0}
        if key in held:
            held[key].add(shift, **given)
        else:
            held[key] = Theirs(shift, **given)
    return model


def plain_replacement(q, k, v, options):
    from comfy.ldm.modules.attention import optimized_attention

    return 0.5 * optimized_attention(q, k, v, options["n_heads"])


def apply_plain(house, model, kind, by_depth=True):
    model = model.clone()
    for key in house.sizes(kind):
        model.set_model_attn2_replace(plain_replacement, *(key if by_depth else key[:2]))
    return model


def apply_wrapping(house, model, kind):
    """A polite one, which runs inside its own what it finds."""
    model = model.clone()
    held = model.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
    for key in house.sizes(kind):
        found = held.get(key, held.get(key[:2]))

        def replacement(q, k, v, options, found=found):
            return 0.5 * (found or plain_replacement)(q, k, v, options)

        model.set_model_attn2_replace(replacement, *key)
    return model


def apart(a, b):
    return float((a - b).abs().max() / b.std())


def run(kind, model):
    return toys.sample(model, toys.text(kind, 1), toys.text(kind, 2))


def both_orders(house, case, other):
    """What ours makes alone, theirs alone, ours before theirs, and theirs before ours."""
    spec, adapter = case
    base, person = house.model(spec.kind), house.person(1)

    def ours(model):
        return house.apply(model, adapter, **person)

    models = ours(base), other(base), other(ours(base)), ours(other(base))
    return [run(spec.kind, model) for model in models]


def test_ipadapters_protocol_works_in_both_orders(house, case):
    spec, _ = case
    ours, theirs, before, after = both_orders(house, case, lambda model: apply_theirs(house, model, spec.kind))
    for made in (before, after):
        assert apart(made, ours) > 1e-3
        assert apart(made, theirs) > 1e-3
    late = both_orders(house, case, lambda model: apply_theirs(house, model, spec.kind, sigma_start=0.0))
    assert apart(late[2], ours) < 1e-5  # their own sigmas hold where they were added to ours


@pytest.mark.parametrize("by_depth", [True, False])
def test_a_plain_replacement_works_in_both_orders(house, case, by_depth):
    spec, _ = case
    ours, theirs, before, after = both_orders(
        house, case, lambda model: apply_plain(house, model, spec.kind, by_depth and spec.kind == "sd15")
    )
    assert apart(after, theirs) > 1e-3
    assert apart(after, ours) > 1e-3
    assert apart(before, after) < 1e-4  # ours is put around it, whoever came first


def test_a_replacement_that_runs_ours_inside_runs_it_once(house, case, monkeypatch):
    spec, adapter = case
    calls, change = [], house.sampling.Applied.change

    def spy(who, site, options):
        calls.append((options["block"], options["block_index"]))
        return change(who, site, options)

    monkeypatch.setattr(house.sampling.Applied, "change", spy)
    model = house.apply(house.model(spec.kind), adapter, **house.person(1))
    toys.sample(apply_wrapping(house, model, spec.kind), toys.text(spec.kind, 1), toys.text(spec.kind, 2), steps=1)
    assert len(calls) == len(set(calls)) == len(house.sizes(spec.kind))


def test_what_others_add_stays_in_their_clone(house, case):
    spec, adapter = case
    ours = house.apply(house.model(spec.kind), adapter, **house.person(1))
    without = run(spec.kind, ours)
    for _ in range(2):
        with_theirs = run(spec.kind, apply_theirs(house, ours, spec.kind))
    assert apart(with_theirs, without) > 1e-3
    assert torch.equal(run(spec.kind, ours), without)
    once = run(spec.kind, apply_theirs(house, ours, spec.kind))
    assert torch.equal(once, with_theirs)
