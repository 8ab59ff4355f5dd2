"""Memory: core loads and offloads the weights, and twenty queues leave nothing behind."""

import ctypes
import gc
import weakref

import torch

from host.adapt import toys

PAGE = 4096  # bytes


def resident():
    """Bytes of this process in memory, after what is free was given back."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE


def live_tensors():
    gc.collect()
    return sum(issubclass(type(held), torch.Tensor) for held in gc.get_objects())


def test_core_loads_the_adapter_beside_the_model_and_parts_of_both_do(house, case, monkeypatch):
    import comfy.model_management

    spec, adapter = case
    model, loaded = house.apply(house.model(spec.kind), adapter, **house.person(1)), []
    whole = toys.sample(model, toys.text(spec.kind, 1), toys.text(spec.kind, 2))

    def load_half(models, *given, **more):
        models = [*models, *(other for each in models for other in each.model_patches_models())]
        for patcher in dict.fromkeys(models):
            patcher.detach()
            patcher.partially_load(patcher.load_device, patcher.model_size() // 2)
            loaded.append(patcher)

    monkeypatch.setattr(comfy.model_management, "load_models_gpu", load_half)
    half = toys.sample(model, toys.text(spec.kind, 1), toys.text(spec.kind, 2))
    assert any(patcher.model is adapter.inside.patcher.model for patcher in loaded)
    assert not any(patcher.model is adapter.encoder.patcher.model for patcher in loaded)  # it has done its work
    assert (half - whole).abs().max() < 1e-4 * whole.std()
    for patcher in loaded:
        patcher.detach()


def test_twenty_queues_leave_nothing_behind(house, case):
    """By turns without the adapter, with one person and with another; as ComfyUI does, nothing of a queue is kept."""
    spec, adapter = case
    model = house.model(spec.kind)
    people = [house.person(seed) for seed in (1, 5)]
    texts = toys.text(spec.kind, 1), toys.text(spec.kind, 2)
    first, sizes, counts = toys.sample(model, *texts, steps=1), [], []
    for queue in range(20):
        shown = house.apply(model, adapter, **people[queue % 2])
        toys.sample(shown, *texts, steps=1)
        gone = weakref.ref(shown)
        del shown
        assert torch.equal(toys.sample(model, *texts, steps=1), first)
        sizes.append(resident())
        counts.append(live_tensors())
    assert gone() is None
    assert (sizes[19] - sizes[4]) / 15 < 1e6
    assert counts[19] == counts[4]


def test_a_turned_widget_reads_no_picture_again(house, case, monkeypatch):
    spec, adapter = case
    person, runs, ready = house.person(9), [], adapter.encoder.ready

    monkeypatch.setattr(adapter.encoder, "ready", lambda: runs.append(1) or ready())
    for weight in (1.0, 0.5, 0.7):
        house.apply(house.model(spec.kind), adapter, weight=weight, **person)
    assert len(runs) == 1
    del person
    gc.collect()
    house.apply(house.model(spec.kind), adapter, **house.person(9))
    assert len(runs) == 2


def test_weights_are_in_the_managers_hands(house, case):
    _, adapter = case
    patchers = adapter.get_models()
    assert adapter.patcher in patchers
    held = {id(p) for patcher in patchers for p in patcher.model.parameters()}
    assert held == {id(p) for p in adapter.network.parameters()}
    inside = [module for module in adapter.inside.patcher.model.modules() if list(module.parameters(recurse=False))]
    assert sum(hasattr(module, "comfy_cast_weights") for module in inside) > 0.8 * len(inside)
