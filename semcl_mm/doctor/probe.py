"""The child of the doctor: really imports and calls the libraries, one JSON line each.

A library that takes the interpreter down with it (a compiled file made for another NumPy or torch)
then costs the report one line, not the report. Nothing here may import semcl_mm or a library at
the top of the file.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from collections.abc import Callable


def use_numpy() -> str:
    import numpy

    if numpy.ones(2).sum() != 2:
        raise RuntimeError('one and one are not two')
    return f'numpy {numpy.__version__}'


def use_torch() -> str:
    """Also goes through NumPy: a torch built against another NumPy ABI fails here only."""
    import numpy
    import torch

    total = torch.from_numpy(numpy.ones(3, dtype=numpy.float32)).sum().item()
    if total != 3:
        raise RuntimeError(f'a sum of three ones gave {total}')
    return f'torch {torch.__version__}, built for CUDA {torch.version.cuda or "no"}'


def use_gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return 'none: everything runs on the CPU'
    names = []
    for index in range(torch.cuda.device_count()):
        ones = torch.ones(64, 64, device=f'cuda:{index}')
        if (ones @ ones)[0, 0].item() != 64:
            raise RuntimeError(f'cuda:{index} computes wrong products')
        memory = torch.cuda.get_device_properties(index).total_memory / 2**30
        names.append(f'{torch.cuda.get_device_name(index)} ({memory:.0f} GiB)')
    return ', '.join(names) + ('' if torch.cuda.is_bf16_supported() else ', without bf16')


def use_torchvision() -> str:
    import torch
    import torchvision

    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0]])
    torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.5)
    return f'torchvision {torchvision.__version__}'


def use_opencv() -> str:
    import cv2
    import numpy

    square = numpy.full((8, 8, 3), 128, numpy.uint8)
    encoded = cv2.imencode('.jpg', square)[1]
    if cv2.imdecode(encoded, cv2.IMREAD_COLOR).shape != square.shape:
        raise RuntimeError('a JPEG does not survive encoding and decoding')
    return f'cv2 {cv2.__version__}'


def use_module(name: str, deep: str | None = None) -> Callable[[], str]:
    """Imports ``name``, and ``deep`` below it, where what it asks for is imported in turn."""

    def use() -> str:
        module = importlib.import_module(name)
        if deep:
            importlib.import_module(deep)
        return f'{name} {module.__version__}'

    return use


def use_ops(device: str) -> Callable[[], str]:
    """Two boxes overlap, one of them must go."""

    def use() -> str:
        import torch

        if device == 'cuda' and not torch.cuda.is_available():
            return 'not tried: no GPU'
        from mmcv.ops import nms

        boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9], [20, 20, 30, 30]], device=device)
        scores = torch.tensor([0.9, 0.8, 0.7], device=device)
        kept = nms(boxes.float(), scores, 0.5)[1].tolist()
        if kept != [0, 2]:
            raise RuntimeError(f'nms kept the boxes {kept}, not [0, 2]')
        return f'nms works on the {"GPU" if device == "cuda" else "CPU"}'

    return use


def use_png_rows() -> str:
    """One row whose filter repeats the byte before."""
    from semcl_mm.datasets.label_png import restore_rows

    if restore_rows is None:
        raise RuntimeError('_png_rows was not compiled: labels are decoded by Pillow')
    rows = bytearray(4)
    restore_rows(b'\1\7\0', rows, 1, 2, 1)
    if rows != b'\0\0\7\7':
        raise RuntimeError(f'a row of two sevens became {bytes(rows)}')
    return 'the compiled part of the label reader works'


STEPS: dict[str, Callable[[], str]] = {
    'numpy': use_numpy,
    'torch': use_torch,
    'GPU': use_gpu,
    'torchvision': use_torchvision,
    'opencv': use_opencv,
    'timm': use_module('timm'),
    'mmengine': use_module('mmengine', 'mmengine.runner'),
    'mmcv': use_module('mmcv', 'mmcv.transforms'),
    'mmcv ops (CPU)': use_ops('cpu'),
    'mmcv ops (GPU)': use_ops('cuda'),
    'label reader': use_png_rows,
    'mmpretrain': use_module('mmpretrain', 'mmpretrain.models'),
    'mmseg': use_module('mmseg', 'mmseg.models'),
    'mmdet': use_module('mmdet', 'mmdet.models'),
}


def main(steps: list[str]) -> None:
    """Prints ``{"step", "begin"}`` before each step and ``{"step", "found" | "error"}`` after."""
    lines = sys.stdout
    sys.stdout = sys.stderr  # what a library prints must not mix with the lines
    warnings.simplefilter('ignore')

    def tell(**line: object) -> None:
        print(json.dumps(line), file=lines, flush=True)

    for step in steps:
        tell(step=step, begin=True)
        try:
            tell(step=step, found=STEPS[step]())
        except BaseException as error:  # diagnosed by the parent, a SystemExit as well
            text = ' '.join(f'{type(error).__name__}: {error}'.split())
            tell(step=step, error=text[:600])


if __name__ == '__main__':
    main(sys.argv[1:] or list(STEPS))
