"""A whole table with one command: checkpoints x downstream configs x seeds, run and tabulated.

``description`` says what a suite is, ``reading`` makes it from a file (``values`` checks parts),
``paper_tables`` from a paper's table. ``cells`` are its runs, ``facts`` what their configs say,
``commands`` their command lines. ``local_run`` or ``slurm`` runs them, ``state`` knows how far they
came, ``summary`` writes the tables.
"""

from pathlib import Path

__all__ = ['REPOSITORY']

REPOSITORY = Path(__file__).resolve().parents[2]
