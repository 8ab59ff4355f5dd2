"""Where points lie in a picture."""

import torch

from likeness.landmark.procrustes import angles_to_rotation
from likeness.render.camera import frame, project, turn
from likeness.types3d import Cameras

BOX = torch.tensor([[[-0.1, -0.1, 0.0], [0.1, -0.1, 0], [0.1, 0.1, 0], [-0.1, 0.1, 0.05]]])


def test_a_framed_thing_stands_upright_in_the_middle_and_whole():
    pixels = project(frame(BOX, (101, 201)), BOX)[0]
    left_bottom, right_bottom, right_top = pixels[:3, :2]
    assert left_bottom[0] < 100 < right_bottom[0]
    assert right_top[1] < 50 < right_bottom[1]  # y is down
    assert ((pixels[:, :2] > 0) & (pixels[:, :2] < torch.tensor([200, 100]))).all()
    assert pixels[3, 2] < pixels[2, 2]  # what is nearer has less depth


def test_an_orthographic_camera_sees_a_thing_equally_large_at_any_distance():
    pinhole = frame(BOX, (100, 100))
    cameras = Cameras((100, 100), torch.diag(torch.tensor([300.0, 300, 1]))[None], pinhole.extrinsics, True)
    near, far = project(cameras, BOX), project(cameras, BOX - torch.tensor([0, 0, 1.0]))
    torch.testing.assert_close(near[..., :2], far[..., :2])
    torch.testing.assert_close(far[..., 2] - near[..., 2], torch.ones(1, 4))


def test_a_turned_thing_stays_where_it_is():
    yaw = angles_to_rotation(torch.tensor([30.0]), torch.zeros(1), torch.zeros(1))[0]
    cube = torch.cartesian_prod(*[torch.tensor([4.9, 5.1])] * 3)[None]
    torch.testing.assert_close(turn(turn(cube, yaw), yaw.T), cube)
    nose = torch.tensor([[[-1.0, -1, -1], [1, 1, 0], [0, 0, 1]]])
    assert turn(nose, yaw)[0, 2, 0] > 0.3  # yaw brings what is in front to the right
