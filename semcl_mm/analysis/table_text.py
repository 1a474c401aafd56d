"""A line of a result table, and tables as text: markdown, CSV, LaTeX."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ['COLUMNS', 'UNMEASURED', 'Row', 'digits', 'format_rows']

UNMEASURED = '—'
COLUMNS = ('task', 'initial weights', 'metric', 'paper', 'ours', 'difference', 'n')


@dataclass
class Row:
    """One line of a table.

    Attributes:
        task: Config or data set and backbone.
        initial: What the backbone started from.
        metric: Name of the metric.
        paper: The printed number, in the metric's unit; None where no paper has one.
        paper_std: The printed standard deviation.
        values: What our finished runs reached, one value per seed.
        missing: What is not in it, e.g. ``1 failed``.
        paper_digits: Decimals that the paper prints; None: those usual for such a number.
    """

    task: str
    initial: str
    metric: str
    paper: float | None = None
    paper_std: float | None = None
    values: list[float] = field(default_factory=list)
    missing: str = ''
    paper_digits: int | None = None

    @property
    def defined(self) -> list[float]:
        """The values that are numbers: AP is NaN where the truth holds no such object."""
        return [value for value in self.values if not math.isnan(value)]

    def cells(self) -> tuple[str, ...]:
        """The texts of :data:`COLUMNS`; what was not measured, or is NaN, is an em dash."""
        values, undefined = self.defined, len(self.values) - len(self.defined)
        mean = statistics.fmean(values) if values else None
        std = statistics.stdev(values) if len(values) > 1 else None
        remarks = [f'{undefined} undefined'] if undefined else []
        remarks = ', '.join([*remarks, self.missing] if self.missing else remarks)
        difference = None if mean is None or self.paper is None else mean - self.paper
        printed = self.paper_digits
        fine = max(printed or 0, digits(mean or 0.0 if self.paper is None else self.paper))
        return (
            self.task,
            self.initial,
            self.metric,
            _number(self.paper, self.paper_std, printed),
            _number(mean, std, fine),
            UNMEASURED if difference is None else f'{difference:+.{fine}f}',
            f'{len(values)} ({remarks})' if remarks else str(len(values)),
        )


def format_rows(rows: Sequence[Row], form: str = 'md') -> str:
    """Rows as a markdown (``md``), ``csv`` or LaTeX (``latex``) table."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    if form == 'csv':
        return '\n'.join(','.join(_quoted(cell) for cell in line) for line in lines)
    if form == 'latex':
        body = [' & '.join(_escaped(cell) for cell in line) + r' \\' for line in lines]
        head = [r'\begin{tabular}{lllrrrr}', r'\toprule', body[0], r'\midrule']
        return '\n'.join([*head, *body[1:], r'\bottomrule', r'\end{tabular}'])
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    padded = [[cell.ljust(w) for cell, w in zip(line, widths, strict=True)] for line in lines]
    ruler = ['-' * w for w in widths]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in [padded[0], ruler, *padded[1:]])


def _number(value: float | None, std: float | None, places: int | None = None) -> str:
    if value is None or math.isnan(value):
        return UNMEASURED
    places = digits(value) if places is None else places
    spread = '' if std is None else f' ± {std:.{places}f}'
    return f'{value:.{places}f}{spread}'


def digits(value: float) -> int:
    """Decimals that a number of this size is shown with."""
    return 3 if abs(value) < 1.5 else 2  # depth errors and deltas are around 0.1 or 1


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if ',' in cell or '"' in cell else cell


def _escaped(cell: str) -> str:
    for plain, latex in (('_', r'\_'), ('%', r'\%'), ('&', r'\&'), ('±', r'$\pm$'), ('—', '---')):
        cell = cell.replace(plain, latex)
    return cell
