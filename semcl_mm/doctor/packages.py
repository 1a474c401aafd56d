"""Versions against those that were tried, and distributions that clash."""

from __future__ import annotations

from semcl_mm.doctor.distributions import (
    PACKAGE,
    UNREADABLE,
    Installed,
    fits,
    own_requirements,
    parse_requirements,
    pins,
    reinstall,
    show_range,
)
from semcl_mm.doctor.findings import Finding

OPENCV = 'opencv-python-headless'
OPENCVS = (OPENCV, 'opencv-python', 'opencv-contrib-python', 'opencv-contrib-python-headless')
# A fork, the folder that it writes, and the distributions that write the same folder.
FORKS = {
    'onedl-mmengine': ('mmengine', ('mmengine', 'mmengine-lite')),
    'onedl-mmcv': ('mmcv', ('mmcv', 'mmcv-full', 'mmcv-lite', 'onedl-mmcv-lite')),
    'onedl-mmpretrain': ('mmpretrain', ('mmpretrain',)),
    'onedl-mmsegmentation': ('mmseg', ('mmsegmentation',)),
    'onedl-mmdetection': ('mmdet', ('mmdet',)),
}
# Asked for in metadata, done without on purpose (imaug imports it only for its corruptions).
NOT_NEEDED = ('imagecorruptions-imaug',)
CORE_EXTRAS = ('', 'engine')
TASK_EXTRAS = ('segmentation', 'detection')


def check_versions(installed: dict[str, Installed]) -> list[Finding]:
    """Is what we ask for installed, in a version that was tried?"""
    wanted = own_requirements(installed)
    if not wanted:
        message = 'not installed (or without packaging): the tried versions are not known'
        return [Finding('warn', PACKAGE, message, 'pip install --no-deps -e . in the checkout')]
    findings = [Finding('ok', PACKAGE, installed[PACKAGE].version)]
    pin = pins(installed)
    for name, specifier, extra in wanted:
        found = installed.get(name)
        if found is None and extra in CORE_EXTRAS + TASK_EXTRAS:
            status = 'fail' if extra in CORE_EXTRAS else 'warn'
            needed = f' (only for {extra})' if extra in TASK_EXTRAS else ''
            advice = f'make setup, or pip install --no-deps --no-build-isolation {pin(name)}'
            findings.append(Finding(status, name, f'not installed{needed}', advice))
        elif found is None:
            message = f'not installed (optional: {extra})'
            findings.append(Finding('ok', name, message, f'if wanted: pip install {pin(name)}'))
        elif not fits(specifier, found.version):
            message = f'{found.version} was not tried; tried: {show_range(specifier)}'
            advice = f'if something fails: pip install --no-deps {pin(name)}'
            findings.append(Finding('warn', name, message, advice))
        else:
            findings.append(
                Finding('ok', name, f'{found.version} (tried: {show_range(specifier)})')
            )
    return findings


def check_clashes(installed: dict[str, Installed]) -> list[Finding]:
    """Distributions that write one folder, half-removed ones, requirements that do not hold."""
    findings, pin = [], pins(installed)
    for fork, (folder, rivals) in FORKS.items():
        for rival in (name for name in rivals if name in installed):
            both = f' beside {fork}: both write the folder {folder}' if fork in installed else ''
            message = f'{rival} {installed[rival].version} is installed{both}'
            only = '' if both else f'; this project runs on the maintained fork {fork}'
            remove = f'pip uninstall -y {rival} {fork if both else ""}'.strip()
            advice = f'{remove} && {reinstall(pin(fork))}'
            findings.append(Finding('fail', f'clash in {folder}', message + only, advice))
    opencvs = [name for name in OPENCVS if name in installed]
    advice = f'pip uninstall -y {" ".join(opencvs)} && {reinstall(pin(OPENCV))}'
    if len(opencvs) > 1:
        named = ' and '.join(f'{name} {installed[name].version}' for name in opencvs)
        message = f'{named} both write the folder cv2'
        findings.append(Finding('fail', f'{len(opencvs)} OpenCVs', message, advice))
    elif opencvs and not opencvs[0].endswith('headless'):
        message = f'{opencvs[0]} wants libGL, which servers lack'
        findings.append(Finding('warn', 'opencv', message, advice))
    for name, found in installed.items():
        if UNREADABLE in found.versions:
            message = f'{name} has a folder without readable metadata: half installed or removed'
            advice = f'remove its *-info folder from site-packages, then {reinstall(pin(name))}'
            findings.append(Finding('fail', 'half a package', message, advice))
        elif len(found.versions) > 1 and name != PACKAGE:
            message = f'{name} is there as {" and as ".join(found.versions)}: half removed'
            advice = f'pip uninstall -y {name} (until it is gone) && {reinstall(pin(name))}'
            findings.append(Finding('fail', 'two versions', message, advice))
    findings += check_requirements(installed)
    return findings or [Finding('ok', 'clashes', 'none')]


def check_requirements(installed: dict[str, Installed]) -> list[Finding]:
    """What ``pip check`` does, except that one OpenCV is as good as another."""
    findings = []
    any_opencv = next((installed[name] for name in OPENCVS if name in installed), None)
    for owner in installed.values():
        if owner.name == PACKAGE:
            continue  # check_versions
        for name, specifier, _ in parse_requirements(owner.requires):
            if name in OPENCVS:
                name, found = OPENCV, any_opencv
            else:
                found = installed.get(name)
            if name in NOT_NEEDED or (found and fits(specifier, found.version)):
                continue
            has = f'{found.name} {found.version} is installed' if found else 'it is not installed'
            message = f'{owner.name} {owner.version} asks for {name}{specifier}, but {has}'
            advice = f'pip install --no-deps "{name}{specifier}" (or make setup)'
            findings.append(Finding('warn', 'requirement', message, advice))
    return findings
