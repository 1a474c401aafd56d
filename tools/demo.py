"""The whole path on the toy world, in minutes on a CPU: what ``make demo`` runs.

Makes the toy world, indexes its pairs, pretrains SemCL, fine-tunes UPerNet from the result and
from the same initialisation without the pretraining (same budget, same seed), prints the table
and draws the predictions. Every step is a command that it prints first, so that each can be
repeated by hand.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PRETRAIN = 'configs/semcl/toy.py'
SEGMENT = 'configs/segmentation/upernet_r18_toy.py'


def main() -> None:
    """Runs the steps one after the other and stops at the first that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--work-dir', default='work_dirs/demo', help='where results go')
    parser.add_argument('--seed', type=int, default=0, help='one seed for all runs')
    args = parser.parse_args()
    work, seed = Path(args.work_dir), str(args.seed)
    initial, picture = work / 'initial.pth', work / 'predictions.png'
    pretrain, with_semcl, without = (work / n for n in ('pretrain', 'with_semcl', 'without_semcl'))
    # Layers this small gain nothing from a second thread, and lose much where a core is busy.
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    start = time.monotonic()

    def step(title: str, *command: str | Path, beside: subprocess.Popen | None = None) -> None:
        command = announce(title, command)
        codes = [subprocess.run(command, cwd=REPOSITORY).returncode]
        if beside is not None:
            codes.append(beside.wait())
        if any(codes):
            print(f'error: this step failed with exit code {max(codes)}', file=sys.stderr)
            raise SystemExit(1)

    def announce(title: str, command: tuple[str | Path, ...]) -> list[str]:
        words = [str(part) for part in command]
        print(f'\n=== {title} ({time.monotonic() - start:.0f} s)', flush=True)
        print(f'$ python {shlex.join(words)}', flush=True)
        return [sys.executable, *words]

    step('the toy world', 'tools/dataset_converters/make_toy.py', '--out', 'data/toy')
    step(
        'its pairs',
        *('tools/dataset_converters/build_pair_index.py', 'voc', 'data/toy'),
        *('--out', 'data/semcl/toy.pairs'),
    )
    step(
        'one initialisation for both arms',
        *('tools/misc/initial_backbone.py', SEGMENT, initial, '--seed', seed),
    )
    common = ('--seed', seed, '--work-dir')
    step(
        'pretrain SemCL',
        *('tools/train.py', PRETRAIN, '--pretrained', initial, *common, pretrain),
    )
    pretrained = last_checkpoint(REPOSITORY / pretrain)
    log = REPOSITORY / work / 'without_semcl.log'
    command = announce(
        f'fine-tune from the initialisation, beside the next step (output: {log})',
        ('tools/train.py', SEGMENT, '--pretrained', initial, *common, without),
    )
    with log.open('w') as output:
        baseline = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT
        )
    step(
        'fine-tune from SemCL',
        *('tools/train.py', SEGMENT, '--pretrained', pretrained, *common, with_semcl),
        beside=baseline,
    )
    step(
        'the picture',
        *('tools/visualization/compare_segmentations.py', SEGMENT, '--checkpoints'),
        *(last_checkpoint(REPOSITORY / with_semcl), last_checkpoint(REPOSITORY / without)),
        *('--names', 'with SemCL', 'without', '--out', picture),
    )
    records = work / 'records.jsonl'
    step('the records', 'tools/analyze', 'collect', work, '--out', records)
    step('the table', 'tools/analyze', 'table', '--records', records)
    print(f'\nPicture: {picture}. All of it took {time.monotonic() - start:.0f} s, seed {seed}.')


def last_checkpoint(folder: Path) -> str:
    """What MMEngine noted as the newest checkpoint of a work dir."""
    return (folder / 'last_checkpoint').read_text().strip()


if __name__ == '__main__':
    main()
