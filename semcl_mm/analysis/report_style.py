"""How the report looks: system fonts, light and dark, tables that scroll on a phone."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1b1f24; --paper: #fff; --line: #d0d7de; --soft: #57606a; --mark: #eef6ff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --soft: #9198a1; --mark: #12233a;
  }
}
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif;
}
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
.facts, figcaption { color: var(--soft); font-size: .85rem; }
.notes { border-left: 3px solid #d1242f; padding-left: 1.5rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td {
  padding: .3rem .6rem; border-bottom: 1px solid var(--line);
  text-align: left; white-space: nowrap;
}
.number { text-align: right; font-variant-numeric: tabular-nums; }
th:nth-child(n+4) { text-align: right; }
.ours { background: var(--mark); }
figure { margin: 1rem 0; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
@media print { .scroll { overflow: visible; } }
""".strip()
