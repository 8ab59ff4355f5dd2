"""Identity adapters inside ComfyUI's sampler: patches in a clone's options, none on the model.

Core allows one replacement of a block's cross-attention. Ours runs what it finds there, takes what others add by
``add``, which IPAdapter_plus calls on whatever it finds, and is put around one that took its place by the time sampling
begins. The weights are a ModelPatcher that core loads beside the model, and offloads.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import comfy.lora
import torch
from comfy.ldm.modules.attention import optimized_attention
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import CallbacksMP, WrappersMP
from torch import Tensor, nn

from ..likeness.adapt import Adapter, Site, Tokens, Tuned
from ..likeness.adapt.person import Key

PEOPLE, QUEUE = "likeness_people", "likeness_queue"  # in transformer_options: whom a model shows; see ``Queue``
INPUT, DONE = "likeness_input", "likeness_done"  # in a block's options: what cross-attention is fed; who was here
WRAPPERS = "likeness"


@dataclass(frozen=True, eq=False)
class Applied:
    """One person whom a model is to show."""

    adapter: Adapter
    blocks: Mapping[Key, nn.Module]
    patcher: ModelPatcher  # of these blocks
    tokens: Tokens
    negative: str  # "person" or "nobody": what rows of the negative prompt are told
    weight: float
    start: float  # share of the sampling, 0 to 1
    end: float
    mask: Tensor | None  # (B, H, W) in [0, 1], where in the picture; None: everywhere

    def change(self, site: Site, options: dict) -> Tensor | None:
        """What a site becomes; None where this person leaves it as it is."""
        queue, block = Queue.of(options), self.blocks.get(block_key(options))
        if block is None or not queue.sigma_at(self.end) <= queue.sigma <= queue.sigma_at(self.start):
            return None
        site = replace(site, told=queue.told(self, site.x, options))
        changed = block(site, queue.tokens(self, site.x, options), self.weight)
        if self.mask is None:
            return changed
        before = site.x if self.adapter.hook == "middle" else site.text
        return before + queue.mask(self, site.x, options) * (changed - before)


@dataclass(eq=False)
class Queue:
    """What our patches know of one sampling: who each row of a batch is for, where and when it is."""

    negative: Mapping[Any, bool]  # by the id of a list of conditions' first one: whether it is a negative prompt's
    sigma_at: Callable[[float], float] = lambda percent: 1 - percent
    sigma: float = 0.5  # of the step, and so all below
    negatives: tuple[bool, ...] = (False, True)  # by the numbers in ``cond_or_uncond``
    areas: Mapping[Any, tuple[int, ...] | None] = field(default_factory=dict)  # by a condition's id: latent h, w, y, x
    shape: tuple[int, ...] = ()  # of the latents of one condition
    made: dict[tuple, Tensor] = field(default_factory=dict)  # tokens and masks, once per queue

    @classmethod
    def of(cls, options: dict) -> "Queue":
        if QUEUE not in options:
            raise RuntimeError("Expected ComfyUI's sampler, got one that leaves its steps out: use a core sampler.")
        return options[QUEUE]

    def begin(self, model: Any, conds: list[list[dict] | None], x: Tensor, sigma: Tensor) -> None:
        """A step begins: core is about to batch these lists of conditions."""
        self.sigma_at, self.sigma, self.shape = model.model_sampling.percent_to_sigma, float(sigma[0]), tuple(x.shape)
        known = self.negative
        self.negatives = tuple(known.get(c[0]["uuid"], i == 1) if c else i == 1 for i, c in enumerate(conds))
        self.areas = {cond["uuid"]: cond.get("area") for held in conds for cond in held or ()}

    def rows(self, x: Tensor, options: dict) -> list[int]:
        """Of each row of a block's batch, the place of its condition in ``cond_or_uncond``.

        Tiled samplers repeat the batch for each tile: all conditions of one, then of the next.
        """
        count, each = len(options["cond_or_uncond"]), self.shape[0]
        if len(x) % (count * each):
            raise ValueError(f"Expected a batch of {count} conditions with {each} images each, got {len(x)} rows.")
        return [place for place in range(count) for _ in range(each)] * (len(x) // (count * each))

    def told(self, who: Applied, x: Tensor, options: dict) -> tuple[bool, ...]:
        """Of each row of a block's batch, whether it is told of the person, or of nobody."""
        seen = [not (self.negatives[i] and who.negative == "nobody") for i in options["cond_or_uncond"]]
        return tuple(seen[place] for place in self.rows(x, options))

    def tokens(self, who: Applied, x: Tensor, options: dict) -> Tensor:
        """(B, T, D) what each row of a block's batch is told."""
        told = self.told(who, x, options)
        key = ("tokens", id(who), told, x.device, x.dtype)
        if key not in self.made:
            self.made[key] = torch.stack([who.tokens.nobody, who.tokens.person]).to(x)[[*map(int, told)]]
        return self.made[key]

    def mask(self, who: Applied, x: Tensor, options: dict) -> Tensor:
        """(B, N, 1) how much of each token of a block shows the person."""
        grid, places = tuple(options["activations_shape"][-2:]), self.rows(x, options)
        areas = [self.areas.get(uuid) for uuid in options["uuids"]]
        key = ("mask", id(who), tuple(map(str, areas)), len(x), grid, x.device, x.dtype)
        if key not in self.made:
            cut = [self._cut(who.mask, area, options["original_shape"], grid) for area in areas]
            parts = [cut[place][row % self.shape[0] % len(cut[place])] for row, place in enumerate(places)]
            self.made[key] = torch.stack(parts).flatten(1)[..., None].to(x)
        return self.made[key]

    def _cut(self, mask: Tensor, area: tuple[int, ...] | None, shape: list[int], grid: tuple[int, ...]) -> Tensor:
        """(B, h, w) a mask of the whole picture, at a block's size, of the area that a condition is for."""
        mask = nn.functional.interpolate(mask[:, None].float(), self.shape[-2:], mode="area")
        if area is not None:
            height, width, top, left = area
            mask = mask[..., top : top + height, left : left + width]
        if tuple(mask.shape[-2:]) != tuple(shape[-2:]):
            raise ValueError(
                f"Expected latents of {mask.shape[-1]} x {mask.shape[-2]}, got tiles of {shape[-1]} x {shape[-2]}: a "
                "tiled sampler does not say where they are, so leave the mask of Apply Identity Adapter unconnected."
            )
        return nn.functional.interpolate(mask, grid, mode="area")[:, 0]


class Middle:
    """A person in the residual stream, between self-attention and cross-attention."""

    def __init__(self, who: Applied) -> None:
        self.who = who

    def __call__(self, x: Tensor, options: dict) -> Tensor:
        changed = self.who.change(Site(x, options["n_heads"], attend(options)), options)
        return x if changed is None else changed

    def models(self) -> list[ModelPatcher]:
        return [self.who.patcher]


class CrossAttention:
    """A block's cross-attention: what was there before, then people and what others added, in order."""

    def __init__(self, under: Callable | None = None, parts: tuple = ()) -> None:
        self.under, self.parts = under, parts  # a part is an Applied, or a callback of others with its arguments

    def add(self, callback: Callable, **kwargs: Any) -> None:
        """Add ``callback(out, q, k, v, options, **kwargs)`` to what the attention gives, as IPAdapter_plus asks."""
        self.parts = (*self.parts, (callback, kwargs))

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, options: dict) -> Tensor:
        done = options.setdefault(DONE, set())  # another's replacement may run ours inside its own
        alone = before = cache(partial(attend(options, options["n_heads"]), q, k, v))
        if self.under is not None:
            before = partial(torch.Tensor.to, self.under(q, k, v, options), q.dtype)
        for part in self.parts:
            if not isinstance(part, Applied):
                before = partial(added, before(), q, k, v, options, *part)
            elif id(part) not in done:
                site = Site(options.get(INPUT, q), options["n_heads"], attend(options), q, k, v, before, alone)
                changed = part.change(site, options)
                before = before if changed is None else partial(torch.Tensor.to, changed, q.dtype)
                done.add(id(part))
        return before()

    def models(self) -> list[ModelPatcher]:
        theirs = [found for other in self.others() if hasattr(other, "models") for found in other.models()]
        return [part.patcher for part in self.parts if isinstance(part, Applied)] + theirs

    def to(self, device_or_dtype: Any) -> "CrossAttention":
        for other in self.others():
            if hasattr(other, "to"):
                other.to(device_or_dtype)
        return self

    def cleanup(self) -> None:
        for other in self.others():
            if hasattr(other, "cleanup"):
                other.cleanup()

    def others(self) -> Iterator[Any]:
        """What is not ours, which core cannot see where it is."""
        yield from () if self.under is None else (self.under,)
        yield from (part[0] for part in self.parts if not isinstance(part, Applied))


def added(out: Tensor, q: Tensor, k: Tensor, v: Tensor, options: dict, callback: Callable, kwargs: dict) -> Tensor:
    """What the attention gives with another's addition, which tells the sigmas between which it is made."""
    sigma = float(options["sigmas"][0])
    if kwargs.get("sigma_end", 0) <= sigma <= kwargs.get("sigma_start", float("inf")):
        return (out + callback(out, q, k, v, options, **kwargs)).to(q.dtype)
    return out


def attend(options: dict, heads: int | None = None) -> Callable[..., Tensor]:
    """Core's attention as the block that these options are of calls it."""
    given = {"heads": heads} if heads else {}
    return partial(
        optimized_attention, **given, attn_precision=options.get("attn_precision"), transformer_options=options
    )


def block_key(options: dict) -> Key:
    return (*options["block"], options["block_index"])


def apply(model: ModelPatcher, who: Applied) -> ModelPatcher:
    """A clone of the model that shows one person more."""
    check_model(model, who.adapter, who.blocks)
    model = model.clone()
    if who.weight == 0 or who.start >= who.end:
        return model
    options = model.model_options["transformer_options"]
    if isinstance(who.adapter, Tuned):
        tune(model, who.adapter.lora(), options.get(PEOPLE, []))
    options[PEOPLE] = [*options.get(PEOPLE, []), who]
    if not model.get_wrappers(WrappersMP.SAMPLER_SAMPLE, WRAPPERS):
        model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, WRAPPERS, begin_queue)
        model.add_wrapper_with_key(WrappersMP.CALC_COND_BATCH, WRAPPERS, begin_step)
        model.add_callback_with_key(CallbacksMP.ON_CLONE, WRAPPERS, part_from)
    if who.adapter.hook == "middle":
        model.set_model_patch(Middle(who), "middle_patch")
        return model
    if keep_input not in options.get("patches", {}).get("attn2_patch", []):
        model.set_model_attn2_patch(keep_input)
    for _, found, place in replacements(options, who.blocks):
        found = found if isinstance(found, CrossAttention) else CrossAttention(found)
        model.set_model_attn2_replace(CrossAttention(found.under, (*found.parts, who)), *place)
    return model


def tune(model: ModelPatcher, lora: Mapping[str, Tensor], people: list[Applied]) -> None:
    """Add an adapter's LoRA to a model as core's own loader does, once however many people it is to show.

    Raises:
        ValueError: The model lacks weights that it is for.
    """
    for other in people:
        theirs = other.adapter.lora() if isinstance(other.adapter, Tuned) else {}
        if theirs.keys() == lora.keys() and all(torch.equal(theirs[name], lora[name]) for name in lora):
            return
    patches = comfy.lora.load_lora(lora, comfy.lora.model_lora_keys_unet(model.model, {}))
    added, wanted = model.add_patches(patches, 1.0), sum(name.endswith(".up.weight") for name in lora)
    if len(added) != wanted:
        raise ValueError(
            f"Expected a model with {wanted} weights that the adapter's LoRA is for, got one with {len(added)}: "
            "connect a checkpoint of the kind that the adapter was trained on."
        )


def replacements(options: dict, blocks: Mapping[Key, nn.Module]) -> Iterator[tuple[Key, Callable | None, tuple]]:
    """Of each block, what replaces its cross-attention and the key that it is under, or that ours is to be under.

    Where a block is alone at its number core looks under (name, number) too, and there others put theirs.
    """
    held = options.get("patches_replace", {}).get("attn2", {})
    for key in blocks:
        alone = sum(other[:2] == key[:2] for other in blocks) == 1
        place = key if key in held or not alone else key[:2]
        yield key, held.get(place, held.get(key[:2])), place


def keep_input(x: Tensor, context: Tensor, value: Tensor, options: dict) -> tuple[Tensor, Tensor, Tensor]:
    """An attn2_patch that changes nothing: it keeps what cross-attention is fed for its replacement."""
    options[INPUT] = x
    return x, context, value


def part_from(model: ModelPatcher, clone: ModelPatcher) -> None:
    """Give a clone replacements of its own, so that what others add to them stays out of the model it comes from."""
    held = clone.model_options["transformer_options"].get("patches_replace", {}).get("attn2", {})
    for key, found in held.items():
        if isinstance(found, CrossAttention):
            held[key] = CrossAttention(found.under, found.parts)


def begin_queue(executor: Any, guider: Any, sigmas: Tensor, extra_args: dict, callback: Any, noise: Tensor, *rest: Any):
    """A wrapper of sampling: names the negative prompts, checks the masks, and puts back whom others replaced."""
    options = extra_args["model_options"]["transformer_options"]
    firsts = {name: conds[0] for name, conds in guider.conds.items() if conds}
    told = {c["uuid"]: "negative" in name or c.get("prompt_type") == "negative" for name, c in firsts.items()}
    options[QUEUE] = Queue(told)
    held = options.setdefault("patches_replace", {}).setdefault("attn2", {})
    for who in options[PEOPLE]:
        check_mask(who, tuple(noise.shape))
        for key, found, place in replacements(options, who.blocks) if who.adapter.hook == "attn2" else ():
            if not isinstance(found, CrossAttention):
                held[place] = CrossAttention(found, (who,))
            elif who not in found.parts:
                held[place] = CrossAttention(found.under, (*found.parts, who))
            elif found.under is None and held.get(key[:2], found) is not found:
                held[place] = CrossAttention(held[key[:2]], found.parts)
    return executor(guider, sigmas, extra_args, callback, noise, *rest)


def begin_step(executor: Any, model: Any, conds: list, x: Tensor, sigma: Tensor, model_options: dict):
    """A wrapper of what runs the model on the conditions of a step."""
    options = model_options["transformer_options"]
    if QUEUE not in options:  # a sampler of another pack that begins here
        options = {**options, QUEUE: Queue({})}
        model_options = {**model_options, "transformer_options": options}
    options[QUEUE].begin(model, conds, x, sigma)
    return executor(model, conds, x, sigma, model_options)


def check_mask(who: Applied, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless a mask has the shape of the picture, and one image or as many as it."""
    if who.mask is None:
        return
    (count, height, width), (rows, *_) = who.mask.shape, shape
    tall, wide = shape[-2:]
    if abs(width / wide - height / tall) * min(tall, wide) > max(width / wide, height / tall):
        raise ValueError(
            f"Expected a mask of the picture's shape, {wide} to {tall}, got one of {width} x {height}: make the mask "
            "of Apply Identity Adapter as large as the picture."
        )
    if count not in (1, rows):
        raise ValueError(f"Expected one mask or {rows}, one for each picture of the batch, got {count}.")


def check_model(model: ModelPatcher, adapter: Adapter, blocks: Mapping[Key, nn.Module]) -> None:
    """Raise ValueError unless the model has the blocks that the adapter was trained for."""
    found = {key: (len(b.norm2.weight), b.attn2.to_k.in_features) for key, b in transformer_blocks(model)}
    wanted = {key: (block.width, block.context) for key, block in blocks.items()}
    if found != wanted:
        kind = type(model.model.model_config).__name__
        raise ValueError(
            f"Expected a model of {adapter.base}, which {adapter.title} was trained on, with {len(wanted)} attention "
            f"blocks, got {kind} with {len(found)}: connect such a checkpoint, or choose an adapter for {kind}."
        )


def transformer_blocks(model: ModelPatcher) -> Iterator[tuple[Key, nn.Module]]:
    """The transformer blocks of a UNet as core counts them; none of another kind of model."""
    unet = model.get_model_object("diffusion_model")
    parts = (
        {"input": unet.input_blocks, "middle": [unet.middle_block], "output": unet.output_blocks}.items()
        if (hasattr(unet, "input_blocks"))
        else ()
    )
    for name, layers in parts:
        for number, layer in enumerate(layers):
            for module in layer:
                for depth, block in enumerate(getattr(module, "transformer_blocks", ())):
                    yield (name, number, depth), block
