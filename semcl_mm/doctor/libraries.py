"""Lets a child import and call the libraries, and says what to do where that fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from semcl_mm.doctor.distributions import Installed, pins, reinstall
from semcl_mm.doctor.findings import Finding
from semcl_mm.doctor.packages import FORKS, OPENCV, OPENCVS
from semcl_mm.doctor.probe import STEPS

# Where the name of an import is not that of the distribution.
DISTRIBUTIONS = {'opencv': OPENCV, 'cv2': OPENCV, 'PIL': 'pillow', 'yaml': 'pyyaml'}
DISTRIBUTIONS |= {module: fork for fork, (module, _) in FORKS.items()}

# The first pattern that an error holds says what to do about it; {pin} is the distribution.
REMEDIES = (
    (
        r'lib(GL|gthread|SM|Xext|Xrender)\b',
        f'an OpenCV with windows is imported: {{only}} {OPENCV}',
    ),
    (
        r'NumPy 1\.x|_ARRAY_API|numpy\.core\.multiarray|Numpy is not available|dtype size changed',
        'compiled for another NumPy: pip install {numpy}, then reinstall {pin}',
    ),
    (r'pkg_resources', 'setuptools 82 dropped pkg_resources: pip install "setuptools>=77,<81"'),
    (r'torchvision::nms', 'torchvision was made for another torch: reinstall {pin} with its torch'),
    (
        r'not compiled with GPU|no kernel image',
        'the mmcv ops were built without this GPU (only detection needs them there): with nvcc on '
        'the PATH, FORCE_CUDA=1 {reinstall} --no-cache-dir --no-binary onedl-mmcv',
    ),
    (
        r'undefined symbol|mmcv\._ext',
        'the mmcv ops are missing or were built for another torch: '
        '{reinstall} --no-cache-dir --no-binary onedl-mmcv',
    ),
    (
        r"No module named '(?P<module>\w+)",
        '{missing} is missing: make setup, or pip install --no-deps {missing_pin}',
    ),
    (r'', '{reinstall}; if that does not help: make clean-venv setup'),
)


def run_probe(timeout: float = 300.0) -> list[dict]:
    """Lets children try every step; after a step that ends a child, the next one goes on.

    Returns:
        One ``{"step", "found" | "error"}`` for each step that was tried.
    """
    todo, results = list(STEPS), []
    while todo:
        lines, end = _run_child(todo, timeout)
        results += [line for line in lines if 'begin' not in line]
        done = {line['step'] for line in results}
        begun = [line['step'] for line in lines if line['step'] not in done]
        todo = [step for step in todo if step not in done]
        if todo and not begun:  # ended between two steps, or before the first
            results += [{'step': step, 'error': f'not tried: the child {end}'} for step in todo]
            break
        results += [{'step': step, 'error': f'the interpreter {end}'} for step in begun]
        todo = [step for step in todo if step not in begun]
    return results


def _run_child(steps: list[str], timeout: float) -> tuple[list[dict], str]:
    """The lines of one child, and how it ended."""
    path = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.getenv('PYTHONPATH')])]
    try:
        child = subprocess.run(
            [sys.executable, '-m', 'semcl_mm.doctor.probe', *steps],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        output, end = child.stdout, f'ended with code {child.returncode}'
        if child.returncode < 0:
            end = f'crashed with signal {-child.returncode}'
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b'').decode(errors='replace')
        end = f'did not end within {timeout:.0f} s'
    # Anything else is a compiled library's own words.
    return [json.loads(line) for line in output.splitlines() if line.startswith('{"step"')], end


def check_libraries(installed: dict[str, Installed], results: list[dict]) -> list[Finding]:
    """Turns what the children said into findings."""
    pin = pins(installed)
    findings = []
    for result in results:
        step = result['step']
        if 'error' in result:
            findings.append(diagnose(step, result['error'], pin))
        else:
            subject = step if step == 'GPU' or ' ' in step else f'{step} works'
            findings.append(Finding('ok', subject, result['found']))
    return findings


def distribution_of(module: str) -> str:
    """The distribution that brings an import."""
    return DISTRIBUTIONS.get(module, module)


def diagnose(step: str, error: str, pin: Callable[[str], str]) -> Finding:
    """What to do about an error of the step that tries a library."""
    name = distribution_of(step.split(' ')[0])
    others = ' '.join(other for other in OPENCVS if other != OPENCV)
    for pattern, remedy in REMEDIES:
        match = re.search(pattern, error)
        if match:
            missing = match.groupdict().get('module', '')
            advice = remedy.format(
                pin=pin(name),
                numpy=pin('numpy'),
                reinstall=reinstall(pin(name)),
                only=f'pip uninstall -y {others}; pip install --force-reinstall --no-deps',
                missing=missing,
                missing_pin=pin(distribution_of(missing)),
            )
            break
    if step == 'GPU':
        advice = 'see nvidia-smi; CUDA_VISIBLE_DEVICES= runs on the CPU meanwhile'
    if '_png_rows' in error:
        advice = (
            'building a pair index is several times slower: with gcc on the PATH, '
            'pip install --no-deps --no-build-isolation -e .'
        )
    # Without ops on the GPU everything but detection works; labels are also read without C.
    status = 'warn' if step == 'mmcv ops (GPU)' or '_png_rows' in error else 'fail'
    return Finding(status, step, error, advice)


def check_driver(results: list[dict]) -> list[Finding]:
    """A GPU that the machine has and torch does not see."""
    unseen = any(line['step'] == 'GPU' and 'none' in line.get('found', '') for line in results)
    hidden = os.getenv('CUDA_VISIBLE_DEVICES') in ('', '-1')
    if not (unseen and Path('/proc/driver/nvidia/version').exists()) or hidden:
        return []
    message = 'the machine has an NVIDIA driver, torch does not see a GPU'
    advice = (
        'the driver may be too old for the CUDA version that torch was built for: see nvidia-smi'
    )
    return [Finding('warn', 'GPU', message, advice)]
