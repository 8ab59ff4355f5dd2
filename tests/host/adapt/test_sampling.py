"""Adapters in core's sampler: what they change, where, when, for whom."""

import pytest
import torch

from host.adapt import toys


@pytest.fixture(scope="module")
def plain(house):
    """What each kind of model makes without an adapter."""
    made = {}

    def get(kind, **more):
        key = (kind, tuple(more.items()))
        if key not in made:
            made[key] = toys.sample(house.model(kind), toys.text(kind, 1), toys.text(kind, 2), **more)
        return made[key]

    return get


@pytest.fixture
def seen(house, monkeypatch):
    """What each adapter was asked: site, options, and what it gave."""
    calls, change = [], house.sampling.Applied.change

    def spy(who, site, options):
        changed = change(who, site, options)
        calls.append((who, site, options, changed))
        return changed

    monkeypatch.setattr(house.sampling.Applied, "change", spy)
    return calls


def applied(house, case, person=1, **inputs):
    """A MODEL that shows a made-up person."""
    spec, adapter = case
    return house.apply(house.model(spec.kind), adapter, **house.person(person), **inputs)


def bare(house, case):
    """A MODEL that shows nobody, with an adapter's LoRA where it has one: that heeds no time and no place."""
    spec, adapter = case
    model = house.model(spec.kind).clone()
    if isinstance(adapter.network, house.adapt.Tuned):
        house.sampling.tune(model, adapter.network.lora(), [])
    return model


def sample(model, case, **more):
    kind = case[0].kind
    return toys.sample(model, toys.text(kind, 1), toys.text(kind, 2), **more)


def apart(a, b):
    return float((a - b).abs().max())


def same(a, b):
    """Whether they differ by rounding alone."""
    return apart(a, b) < 1e-5 * float(b.std())


def half_mask(height, width):
    """(1, H, W) the left half."""
    mask = torch.zeros(1, height, width)
    mask[..., : width // 2] = 1
    return mask


def test_weight_0_is_no_adapter_bit_for_bit(house, case, plain):
    assert torch.equal(sample(applied(house, case, weight=0.0), case), plain(case[0].kind))


def test_a_person_changes_the_picture_and_another_changes_it_otherwise(house, case, plain):
    without = plain(case[0].kind)
    one, two = (sample(applied(house, case, person), case) for person in (1, 5))
    assert apart(one, without) > 1e-2
    assert apart(two, without) > 1e-2
    assert apart(one, two) > 1e-2
    assert torch.equal(sample(house.model(case[0].kind), case), without)  # the model stays as it was


def test_it_works_between_start_and_end_alone(house, case, seen):
    """Two steps, at sigmas of about 0 and 50 % of the sampling."""
    without = sample(bare(house, case), case)
    assert torch.equal(sample(applied(house, case, start=0.8), case), without)
    assert {changed for *_, changed in seen} == {None}
    seen.clear()
    early = sample(applied(house, case, end=0.3), case)
    assert apart(early, without) > 1e-3
    worked = {bool(changed is not None): set() for *_, changed in seen}
    for _, _, options, changed in seen:
        worked[changed is not None].add(float(options["sigmas"][0]))
    assert min(worked[True]) > max(worked[False])


@pytest.mark.parametrize("size", [(8, 8), (9, 13)])
def test_outside_its_mask_it_changes_nothing(house, case, plain, seen, size):
    model = applied(house, case, mask=half_mask(size[0] * 8 + 3, size[1] * 8 + 5))
    made = sample(model, case, size=size)
    assert apart(made, plain(case[0].kind, size=size)) > 1e-4
    assert seen
    for who, site, options, changed in seen:
        before = site.x if who.adapter.hook == "middle" else site.text
        height, width = options["activations_shape"][-2:]
        assert before.shape[1] == height * width
        outside = (changed - before).unflatten(1, (height, width))[:, :, (width + 2) // 2 + 1 :]
        assert outside.abs().sum() == 0, options["block"]


def test_a_latent_of_any_size_takes_it(house, case, plain):
    assert apart(sample(applied(house, case), case, size=(9, 13)), plain(case[0].kind, size=(9, 13))) > 1e-2


def test_rows_are_told_apart_however_core_batches_them(house, case, monkeypatch):
    """One condition alone, then two at once, then in the other order: what the rows are told stays with them."""
    import comfy.samplers

    model = applied(house, case, negative="nobody")
    together = sample(model, case)
    monkeypatch.setattr(comfy.samplers, "can_concat_cond", lambda a, b: a is b)
    assert same(sample(model, case), together)
    seen_too = sample(applied(house, case, negative="person"), case)
    assert apart(seen_too, together) > 1e-3  # the negative prompt's rows were told of nobody
    swapped = comfy.samplers.calc_cond_batch

    def other_order(model, conds, *rest):
        return swapped(model, conds[::-1], *rest)[::-1]

    monkeypatch.undo()
    monkeypatch.setattr(comfy.samplers, "calc_cond_batch", other_order)
    assert same(sample(model, case), together)


def test_without_a_negative_prompt_only_the_positive_is_run(house, case, seen):
    sample(applied(house, case), case, cfg=1.0)
    assert {tuple(options["cond_or_uncond"]) for _, _, options, _ in seen} == {(0,)}


def test_three_conditions_are_told_what_they_are_for(house, case, seen):
    """Core's guider of two prompts batches negative, middle, positive; only the positive one shows the person."""
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Guider_DualCFG

    kind, told = case[0].kind, {}
    guider = Guider_DualCFG(applied(house, case, negative="nobody"))
    guider.set_conds(toys.text(kind, 1), toys.text(kind, 3), toys.text(kind, 2))
    guider.set_cfg(4.0, 2.0)
    latent = torch.zeros(1, 4, 8, 8)
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    sigmas = torch.tensor([10.0, 2.0, 0.0])
    with torch.inference_mode():
        guider.sample(noise, latent, comfy.samplers.sampler_object("euler"), sigmas, disable_pbar=True)
    for who, site, options, _ in seen:
        tokens = options[house.sampling.QUEUE].tokens(who, site.x, options)
        for row, index in zip(tokens, options["cond_or_uncond"], strict=True):
            told.setdefault(index, set()).add(bool(torch.equal(row, who.tokens.person.to(row))))
    assert told == {0: {False}, 1: {False}, 2: {True}}


def test_a_condition_for_an_area_gets_that_part_of_the_mask(house, case, seen):
    """The person is left, the second condition is for the right: there nothing changes."""
    kind, (height, width) = case[0].kind, (8, 16)
    model = applied(house, case, mask=half_mask(64, 128))
    right = toys.text(kind, 3, area=(8, 8, 0, 8), strength=1.0, set_area_to_bounds=False)
    toys.sample(model, toys.text(kind, 1) + right, toys.text(kind, 2), size=(height, width))
    narrow = [call for call in seen if call[2]["original_shape"][-1] == 8]
    assert narrow
    for who, site, _, changed in narrow:
        before = site.x if who.adapter.hook == "middle" else site.text
        assert torch.equal(changed, before)


def test_tiles_of_a_batch_are_told_what_their_conditions_are(house, case):
    """A tiled sampler hands in all conditions of one tile, then of the next; one tile at a time gives the same."""

    def parts(value):
        """What each of two tiles is told: of a picture its own half."""
        return [value[..., :8], value[..., 8:]] if value.ndim == 4 else [value, value]

    def tiled(count):
        def run(apply_model, given):
            x, t, c = given["input"], given["timestep"], given["c"]
            tiles, told = parts(x), {k: v for k, v in c.items() if torch.is_tensor(v)}
            made = []
            for start in range(0, 2, count):
                part = tiles[start : start + count]
                more = {name: torch.cat(parts(value)[start : start + count]) for name, value in told.items()}
                made += apply_model(torch.cat(part), torch.cat([t] * count), **{**c, **more}).chunk(count)
            return torch.cat(made, -1)

        return run

    def run(count, **inputs):
        model = applied(house, case, negative="nobody", **inputs)
        model.set_model_unet_function_wrapper(tiled(count))
        return sample(model, case, size=(8, 16))

    assert same(run(1), run(2))
    with pytest.raises(ValueError, match="got tiles of 8 x 8: a tiled sampler does not say where they are"):
        run(1, mask=half_mask(64, 128))


def test_a_batch_takes_one_mask_or_one_for_each_picture(house, case, seen):
    masks = torch.cat([half_mask(64, 64), torch.zeros(1, 64, 64)])
    sample(applied(house, case, mask=masks), case, batch=2)
    for who, site, options, changed in seen:
        before = site.x if who.adapter.hook == "middle" else site.text
        assert len(before) == 2 * len(options["cond_or_uncond"])
        assert torch.equal(changed[1::2], before[1::2])  # the second picture of each condition
        assert not torch.equal(changed[::2], before[::2])


def test_two_people_are_chained_in_either_order(house, case, plain):
    spec, adapter = case
    left, right = half_mask(128, 128), 1 - half_mask(128, 128)

    def chain(*people):
        model = house.model(spec.kind)
        for seed, mask in people:
            model = house.apply(model, adapter, **house.person(seed), mask=mask)
        return sample(model, case, size=(16, 16))

    one, other = chain((1, left), (5, right)), chain((5, right), (1, left))
    for single in (plain(spec.kind, size=(16, 16)), chain((1, left)), chain((5, right))):
        assert apart(one, single) > 1e-4
        assert apart(other, single) > 1e-4
    if adapter.network.hook == "attn2":  # one token's attention does not see another's
        assert same(one, other)


def test_a_lora_works_beside_it(house, case, plain):
    model = house.model(case[0].kind).clone()
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_q.weight"
    weight = model.model.state_dict()[key]
    model.add_patches({key: ("diff", (torch.ones_like(weight) * 0.3,))}, 1.0)
    both = house.apply(model, case[1], **house.person(1))
    alone, lora, together = sample(applied(house, case), case), sample(model, case), sample(both, case)
    assert min(apart(lora, plain(case[0].kind)), apart(together, alone), apart(together, lora)) > 1e-4
    assert torch.equal(sample(house.model(case[0].kind), case), plain(case[0].kind))


def test_a_controlnet_works_beside_it_and_sees_no_tokens(house, case, plain, monkeypatch):
    import comfy.controlnet

    control, kind, given = toys.controlnet(case[0].kind), case[0].kind, []
    merge = comfy.controlnet.ControlNet.control_merge

    def keep(self, made, *rest, **more):
        given.append(made)
        return merge(self, made, *rest, **more)

    monkeypatch.setattr(comfy.controlnet.ControlNet, "control_merge", keep)
    hint = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def run(model):
        copy = control.copy().set_cond_hint(hint, 1.0, (0.0, 1.0))
        held = {"control": copy, "control_apply_to_uncond": True}
        return toys.sample(model, toys.text(kind, 1, **held), toys.text(kind, 2, **held), steps=1)

    alone, both = run(house.model(kind)), run(applied(house, case))
    assert apart(alone, plain(kind, steps=1)) > 1e-3
    assert apart(both, alone) > 1e-3
    first, second = given[: len(given) // 2], given[len(given) // 2 :]
    for a, b in zip(first, second, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a["output"], b["output"], strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_it_works_in_half_precision(house, case, plain, dtype):
    spec, adapter = case
    model = toys.model(spec.kind, dtype)
    made = sample(house.apply(model, adapter, **house.person(1)), case)
    assert made.isfinite().all()
    assert apart(made, sample(model, case)) > 1e-2
    whole = sample(applied(house, case), case)
    assert apart(made, whole) < 0.1 * float(whole.std())
