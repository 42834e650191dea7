"""Colours and layout of a report: on a phone, on a desk, in the dark and in print."""

COLOURS = """
:root {
  color-scheme: light dark;
  --ink: #0f172a; --soft: #526077; --line: #dbe2ea; --paper: #ffffff; --box: #f6f8fb; --bad: #b91c1c; --good: #166534;
  --c0: #0072b2; --c1: #d55e00; --c2: #00805e; --c3: #b14e8f; --c4: #a87400; --c5: #3a7ca5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e2e8f0; --soft: #9fb0c5; --line: #33415a; --paper: #0f172a; --box: #172136; --bad: #f87171; --good: #86efac;
    --c0: #56b4e9; --c1: #ff9147; --c2: #2fd0a0; --c3: #e59cc8; --c4: #e6b23c; --c5: #9cc9ea;
  }
}
"""
TABLES = """
.scroll { overflow-x: auto; margin: .6rem 0; border: 1px solid var(--line); border-radius: 8px }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .87rem;
  font-variant-numeric: tabular-nums }
figure.table { margin-top: 1rem }
th, td { padding: .3rem .55rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--line) }
thead th { border-top: 0 }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; overflow-wrap: normal }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper) }
tbody tr.first th, tbody tr.first td { border-top-width: 2px }
td.best { font-weight: 700; color: var(--good) }
"""
CHARTS = """
svg.chart, svg.scale { display: block; width: 100%; height: auto; font: 11px system-ui, sans-serif; fill: var(--ink) }
svg.scale { max-width: 26rem }
.grid { stroke: var(--line); fill: none } .tick { stroke: var(--soft) } .label { fill: var(--soft); font-size: 12px }
.rule { stroke: var(--ink); stroke-width: 1.2; stroke-dasharray: 3 3; fill: none }
.line { fill: none; stroke-width: 2 } .steps { stroke-width: 1.6; fill-opacity: .13 }
.marker { stroke-width: 5.5; stroke-linecap: round; fill: none }
.dots { stroke-width: 3.6; stroke-linecap: round; stroke-opacity: .75; fill: none }
.c0 { stroke: var(--c0); fill: var(--c0) } .c1 { stroke: var(--c1); fill: var(--c1) }
.c2 { stroke: var(--c2); fill: var(--c2) } .c3 { stroke: var(--c3); fill: var(--c3) }
.c4 { stroke: var(--c4); fill: var(--c4) } .c5 { stroke: var(--c5); fill: var(--c5) }
.line, .marker, .dots { fill: none }
"""
_BEFORE = """
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.2rem 1rem 3rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem; padding-top: .8rem; border-top: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem }
p { margin: .3rem 0 .8rem; max-width: 46rem }
.soft, figcaption { color: var(--soft); font-size: .88rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem; margin: 1rem 0 }
.tiles div { background: var(--box); border: 1px solid var(--line); border-radius: 8px; padding: .5rem .8rem }
.tiles dt { color: var(--soft); font-size: .85rem } .tiles dd { margin: 0; font-size: 1.45rem; font-weight: 650 }
dl.run { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .6rem 0 }
dl.run dt { color: var(--soft) } dl.run dd { margin: 0 }
code span { display: inline-block; max-width: 100% }
pre { background: var(--box); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .8rem; margin: .6rem 0;
  white-space: normal; font: .86rem/1.5 ui-monospace, monospace }
ul.key { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: .5rem 0 }
svg.key { width: 28px; height: 10px; margin-right: .4rem; vertical-align: middle }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 28rem), 1fr)); gap: 1rem }
figure { margin: 0; min-width: 0; break-inside: avoid }
"""
_AFTER = """
article { break-inside: avoid; margin: 1rem 0 1.8rem } article h4 { margin: 0; font-size: 1rem }
article p { margin: 0 0 .5rem }
.panels { display: grid; grid-template-columns: repeat(2, 1fr); gap: .5rem }
.panels img { display: block; width: 100%; height: auto; border-radius: 4px; background: var(--box) }
.panels .none { display: grid; place-items: center; background: var(--box); color: var(--soft); border-radius: 4px }
.scales { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: .2rem 1rem;
  margin-top: .5rem }
.bad { color: var(--bad) }
@media (min-width: 56rem) { .panels { grid-template-columns: repeat(4, 1fr) } }
@media print {
  :root {
    color-scheme: light;
    --ink: #000000; --soft: #333333; --line: #bbbbbb; --paper: #ffffff; --box: #ffffff; --bad: #900000; --good: #000000;
    --c0: #0072b2; --c1: #d55e00; --c2: #00805e; --c3: #b14e8f; --c4: #a87400; --c5: #3a7ca5;
  }
  @page { margin: 14mm 12mm }
  body { padding: 0; max-width: none; font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact }
  h2, h3, h4, section > p, article > p, ul.key, .table figcaption { break-after: avoid } tr { break-inside: avoid }
  .scroll { overflow: visible; border: 0 } table { font-size: 7.6pt } th, td { padding: .2rem .3rem }
  .charts { grid-template-columns: 1fr 1fr } .panels { grid-template-columns: repeat(4, 1fr) }
}
"""
STYLE = COLOURS + _BEFORE + TABLES + CHARTS + _AFTER
