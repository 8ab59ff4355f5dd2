"""What PVA's training looks at, in which order, and that it learns, on a denoiser of a few numbers."""

import pytest
import torch

import factories
from likeness.adapt import Person, fine_tuning, pva
from likeness.types import Faces

KPS = torch.tensor([[[60.0, 70], [100, 70], [80, 95], [64, 118], [96, 118]]])


def pictures(count=1):
    image = torch.stack([factories.photo(160, 200, seed) for seed in range(count)])
    index, box = torch.arange(count), torch.tensor([[40.0, 50, 120, 140]]).expand(count, 4)
    return image, Faces((160, 200), count, index * 0, index, box, torch.ones(count), KPS.expand(count, 5, 2))


def network():
    random = torch.Generator().manual_seed(0)
    given = {
        key: tuple(torch.randn(8, size, generator=random) / 3 for size in (8, 16, 16)) for key in pva.BLOCKS.values()
    }
    return pva.start(given, torch.zeros(16), "arcface-1", 0)


def vectors(count):
    return torch.randn(count, 2, 512, generator=torch.Generator().manual_seed(1))


def test_a_picture_is_framed_with_its_face_masked():
    crops, masks = fine_tuning.frame(Person(*pictures(2)), 64)
    assert crops.shape == (2, 64, 64, 3)
    assert masks.shape == (2, 64, 64)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    rows, columns = masks[0].any(1).nonzero().flatten(), masks[0].any(0).nonzero().flatten()
    assert torch.equal(masks[0][rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].unique(), torch.ones(1))
    # 1.2 times a box of 80 x 90 around eyes 40 apart, which are 15.7 apart in this crop.
    assert len(columns) / len(rows) == pytest.approx(80 / 90, abs=0.05)
    assert len(columns) == pytest.approx(1.2 * 80 * 15.74 / 40, abs=3)
    assert rows[0] < 32 < rows[-1]


def test_a_small_face_is_masked_with_a_fifth_of_the_picture():
    image, faces = pictures()
    tiny = Faces(faces.image_size, 1, faces.id, faces.image_index, torch.tensor([[79.0, 90, 81, 92]]), faces.score, KPS)
    _, masks = fine_tuning.frame(Person(image, tiny), 100)
    assert masks[0].any(0).sum() == pytest.approx(20, abs=1)


def test_mirrored_faces_lie_in_the_mirrored_picture():
    _, faces = pictures()
    seen = fine_tuning.mirror(faces)
    assert seen.bbox.tolist() == [[80.0, 50, 160, 140]]
    assert seen.kps[0, 0].tolist() == [99.0, 70.0]  # the image's left eye is left again
    again = fine_tuning.mirror(seen)
    assert torch.equal(again.kps, faces.kps)
    assert torch.equal(again.bbox, faces.bbox)


def test_each_picture_is_the_target_in_turn_and_never_its_own_reference():
    given, rounds = vectors(3), fine_tuning.lessons(vectors(3), torch.Generator().manual_seed(3))
    ways = set()
    for _ in range(20):
        held = [next(rounds) for _ in range(3)]
        assert {lesson.target for lesson in held} == {0, 1, 2}
        for lesson in held:
            assert lesson.references.shape == (3, 512)  # the other two, and the last once more, mirrored
            found = [(given == row).all(-1).nonzero()[0].tolist() for row in lesson.references]
            assert lesson.target not in {who for who, _ in found}
            assert found[-1] == [found[-2][0], 1 - found[-2][1]]
            ways |= {(lesson.mirrored, way) for _, way in found}
    assert len(ways) == 4


def test_a_lone_picture_is_shown_itself_the_other_way_round():
    given, rounds = vectors(1), fine_tuning.lessons(vectors(1), torch.Generator().manual_seed(3))
    for _ in range(8):
        lesson = next(rounds)
        assert torch.equal(lesson.references[0], given[0, 1 - int(lesson.mirrored)])


def toy(held):
    """A loss that the copies of one block and the word can lower."""
    block = held.split()[1]["middle", 0, 0]
    wanted = torch.randn(8, generator=torch.Generator().manual_seed(5))

    def loss(lesson, tokens, share, random):
        noise = torch.randn(8, generator=random) * 0.01
        made = block.to_visual_v(tokens).mean((0, 1)) + held.modifier_vec[:8] + share * noise
        wrong = (made - wanted).square()
        return torch.stack([wrong.mean(), wrong[:4].mean()])

    return loss


def test_it_lowers_the_loss_of_copies_and_word_and_leaves_the_rest():
    held = network()
    before = {name: tensor.clone() for name, tensor in held.state_dict().items()}
    loss = toy(held)
    judged = fine_tuning.judge(held, vectors(2), loss, 0)
    losses = [*fine_tuning.fine_tune(held, vectors(2), loss, 30, 1e-3, 0)]
    assert len(losses) == 30
    assert losses[-1] < 0.9 * losses[0]
    assert all(now < 0.9 * then for now, then in zip(fine_tuning.judge(held, vectors(2), loss, 0), judged, strict=True))
    moved = {name for name, tensor in held.state_dict().items() if not torch.equal(tensor, before[name])}
    block = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_visual_v.weight"
    assert moved == {"modifier_vec", block}
    assert not any(parameter.requires_grad for parameter in held.parameters())
    again = network()
    assert [*fine_tuning.fine_tune(again, vectors(2), toy(again), 30, 1e-3, 0)] == losses
    other = network()
    assert [*fine_tuning.fine_tune(other, vectors(2), toy(other), 30, 1e-3, 1)] != losses


def test_a_step_looks_at_both_halves_of_the_schedule():
    held, seen = network(), []
    loss = toy(held)
    [*fine_tuning.fine_tune(held, vectors(2), lambda *given: seen.append(given[2]) or loss(*given), 10, 1e-3, 0)]
    assert all(0 <= low < 0.5 <= high < 1 for low, high in zip(seen[::2], seen[1::2], strict=True))


def test_a_loss_that_is_no_number_stops_it_and_nothing_stays_in_training():
    held = network()
    with pytest.raises(ValueError, match="Expected a loss, got none at step 1: lower the learning rate"):
        next(fine_tuning.fine_tune(held, vectors(1), lambda *_: held.modifier_vec * float("nan"), 3, 1.0, 0))
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in held.parameters())


def test_the_report_tells_before_and_after_of_the_same_noise():
    made = fine_tuning.report([2.0, 1.0, 1.5], (1.0, 2.0), (0.5, 1.5))
    assert [*made.table["part"]] == ["whole picture", "masked part"]
    assert [*made.table["before"], *made.table["after"]] == [1.0, 2.0, 0.5, 1.5]
    assert made.figure(400).shape[0] == 1
    assert fine_tuning.summary(made) == (
        "whole picture: loss 1 before, 0.5 after; masked part: loss 2 before, 1.5 after"
    )
    assert "Nothing here says that the person is recognised" in made.markdown()
