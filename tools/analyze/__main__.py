"""Gather, tabulate, compare and draw what runs left behind: ``python tools/analyze --help``."""

import argparse
import json
from pathlib import Path

from semcl_mm.analysis.charts import bars, label_fractions
from semcl_mm.analysis.comparison import against, compare
from semcl_mm.analysis.curves import plot_curves
from semcl_mm.analysis.paper_cells import read_paper_numbers
from semcl_mm.analysis.pictures import save_picture
from semcl_mm.analysis.records import collect, read_records, write_records, write_text
from semcl_mm.analysis.report import build_report, measured_tables
from semcl_mm.analysis.tables import format_rows, measured_rows, paper_rows
from semcl_mm.cli import user_errors

PAPER_NUMBERS = Path(__file__).resolve().parents[2] / 'configs' / 'paper_numbers.csv'
RECORDS = 'work_dirs/records.jsonl'


def main() -> None:
    """Parses the command line and runs one of the commands."""
    args = _parser().parse_args()
    with user_errors():
        args.run(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='tools/analyze', description=__doc__.split(':')[0])
    commands = parser.add_subparsers(
        required=True, metavar='{collect,table,compare,against,plot,report}'
    )

    gather = commands.add_parser('collect', help='gather the records of all runs (JSON lines)')
    gather.add_argument('folders', nargs='*', default=['work_dirs'])
    gather.add_argument('--out', default=RECORDS)
    gather.set_defaults(run=_collect)

    table = commands.add_parser('table', help="our numbers, beside a paper's")
    table.add_argument('--records', default=RECORDS)
    table.add_argument('--paper', help='semcl, pixelcontrast, pixcon-supp, cacl, l2g-vit')
    table.add_argument('--table', help='number of a table of that paper')
    table.add_argument('--metric', help='without --paper: this metric instead of the first')
    table.add_argument('--format', choices=('md', 'csv', 'latex'), default='md')
    table.add_argument('--out', help='write there instead of printing')
    table.set_defaults(run=_table)

    paired = commands.add_parser('compare', help='two groups of runs over the same seeds')
    paired.add_argument(
        'a', help='start of the work dirs of group A, e.g. upernet_r18_toy_from_toy'
    )
    paired.add_argument('b', help='start of the work dirs of group B')
    paired.add_argument('--records', default=RECORDS)
    paired.add_argument('--metric', default='mIoU')
    paired.set_defaults(run=_compare)

    several = commands.add_parser('against', help='which groups of runs clearly beat a baseline')
    several.add_argument('baseline', help='start of the work dirs of the baseline')
    several.add_argument('arms', nargs='+', help='start of the work dirs of each other group')
    several.add_argument('--records', default=RECORDS)
    several.add_argument('--metric', default='mIoU')
    several.add_argument(
        '--deviations', type=float, default=2.0, help='standard deviations that are clear'
    )
    several.set_defaults(run=_against)

    plot = commands.add_parser('plot', help='curves of what runs logged')
    plot.add_argument('runs', nargs='*', help='work dirs, for curves')
    plot.add_argument('--bars', action='store_true', help='means and deviations of all records')
    plot.add_argument(
        '--fractions', action='store_true', help='the metric over the share of labels, per start'
    )
    plot.add_argument('--records', default=RECORDS, help='for --bars and --fractions')
    plot.add_argument('--metric', help='for --bars (default: the first) and --fractions (mIoU)')
    plot.add_argument('--keys', nargs='+', default=['loss'])
    plot.add_argument('--smooth', type=int, default=1, help='running mean, in logged points')
    plot.add_argument('--out', required=True)
    plot.set_defaults(run=_plot)

    report = commands.add_parser('report', help='one HTML file: tables, curves and pictures')
    report.add_argument('--out', required=True)
    report.add_argument('--records', default=RECORDS)
    report.add_argument('--title', default='Results')
    report.add_argument(
        '--table',
        nargs=2,
        action='append',
        metavar=('PAPER', 'TABLE'),
        help='a printed table; without it, those of which the records fill something',
    )
    report.add_argument('--runs', nargs='*', default=[], help='work dirs whose losses are drawn')
    report.add_argument('--pictures', nargs='*', default=[], help='files to show')
    report.set_defaults(run=_report)
    return parser


def _collect(args: argparse.Namespace) -> None:
    records = collect(args.folders)
    write_records(args.out, records)
    states = {}
    for record in records:
        states[record['status']] = states.get(record['status'], 0) + 1
    print(json.dumps({'records': len(records), 'out': args.out, **states}))


def _table(args: argparse.Namespace) -> None:
    needs_none = args.paper and not Path(args.records).is_file()
    records = [] if needs_none else read_records(args.records)
    if args.paper:
        rows = paper_rows(read_paper_numbers(PAPER_NUMBERS), records, args.paper, args.table)
    elif args.table:
        raise ValueError('--table needs --paper')
    else:
        rows = measured_rows(records, args.metric)
        if not rows:
            raise ValueError(f'{args.records}: no finished run reports {args.metric or "a metric"}')
    text = format_rows(rows, args.format)
    if args.out:
        Path(args.out).write_text(text + '\n')
    else:
        print(text)


def _compare(args: argparse.Namespace) -> None:
    result = compare(read_records(args.records), args.a, args.b, args.metric)
    print(json.dumps(result, indent=2))


def _against(args: argparse.Namespace) -> None:
    records = read_records(args.records)
    table, all_better = against(records, args.baseline, args.arms, args.metric, args.deviations)
    print(table)
    if not all_better:
        print(f'not every arm beats the baseline by {args.deviations:g} standard deviations')


def _plot(args: argparse.Namespace) -> None:
    if args.bars + args.fractions + bool(args.runs) != 1:
        raise ValueError('plot draws one of: curves of RUNS, --bars, --fractions')
    if args.bars:
        save_picture(bars(read_records(args.records), args.metric), args.out)
    elif args.fractions:
        records = read_records(args.records)
        save_picture(label_fractions(records, args.metric or 'mIoU'), args.out)
    else:
        plot_curves(args.runs, args.keys, args.out, args.smooth)
    print(f'wrote {args.out}')


def _report(args: argparse.Namespace) -> None:
    records, numbers = read_records(args.records), read_paper_numbers(PAPER_NUMBERS)
    tables = args.table or measured_tables(records, numbers)
    page = build_report(records, numbers, args.title, tables, args.runs, args.pictures)
    write_text(args.out, page)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
