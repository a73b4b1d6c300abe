"""How a report looks, on screen and on paper."""

STYLE = """\
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff;
  max-width: 78rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .8rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-top: .6rem; border-top: 1px solid #bbb; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p, ul { max-width: 52rem; }
.notice { background: #fff4d6; border-left: 5px solid #b26a00; padding: .5rem .9rem; }
.notice p { margin: .15rem 0; }
.warning { border-left: 5px solid #a02020; background: #fdecec; padding: .4rem .8rem; }
nav ol { columns: 2 18rem; padding-left: 1.3rem; }
a { color: #00497a; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .28rem .34rem; border-bottom: 1px solid #d5d5d5; vertical-align: top; }
thead th { border-bottom: 2px solid #444; text-align: right; vertical-align: bottom; }
thead th:first-child, tbody th { text-align: left; font-weight: 500; }
td { text-align: right; white-space: nowrap; }
td small { display: block; color: #444; font-size: .74em; letter-spacing: -.01em; }
tr.aside th, tr.aside td { color: #555; font-style: italic; }
tr.aside th { padding-left: 1rem; }
tbody tr:hover { background: #f3f7fa; }
figure { margin: 1.2rem 0; }
figure svg { max-width: 100%; height: auto; }
figcaption { font-size: .87rem; color: #333; max-width: 52rem; }
footer { margin-top: 3rem; }
@media print {
  body { font-size: 10pt; max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3, caption { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  .table { overflow: visible; }
  table { font-size: 7pt; }
  th, td { padding: .12rem .25rem; }
  td { white-space: normal; }
}
"""
