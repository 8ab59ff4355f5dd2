"""Face detection: images in, the faces in them out."""

from . import blazeface, directmhp, mtcnn, s3fd, scrfd, yunet

SYSTEMS = (yunet.SYSTEM, blazeface.SYSTEM, scrfd.SYSTEM, mtcnn.SYSTEM, s3fd.SYSTEM, directmhp.SYSTEM)
