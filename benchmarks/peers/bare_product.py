"""The similarities of queries to a whole set, as a matrix product: ``bare_product.py SET OFFSET ROWS SIZE QUERIES``.

SET holds float32 from OFFSET on; it is mapped, and multiplied some rows at a time.
"""

import sys

import numpy
import torch
from serve import serve

CHUNK = 65536
path, offset, rows, size = sys.argv[1], *map(int, sys.argv[2:5])
vectors = torch.from_numpy(numpy.memmap(path, "<f4", "c", offset, (rows, size)))
queries = torch.from_numpy(numpy.load(sys.argv[5]))


def run() -> None:
    with torch.inference_mode():
        for start in range(0, rows, CHUNK):
            torch.matmul(queries, vectors[start : start + CHUNK].T)


serve(run)
