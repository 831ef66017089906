/** The page's style: two colour schemes, one column on a phone; the charts take their colours from here. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --muted: #57606a; --rule: #d8dee4; --warn: #9a3412;
  --line-1: #0969da; --line-2: #b35900; --line-3: #1a7f37; --line-4: #cf222e; --line-5: #8250df; --line-6: #6e7781;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0d1117; --ink: #e6edf3; --muted: #9ea7b3; --rule: #30363d; --warn: #ffb77c;
    --line-1: #58a6ff; --line-2: #f0a04b; --line-3: #56d364; --line-4: #ff7b72; --line-5: #bc8cff; --line-6: #9ea7b3;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0.5rem 0; font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { margin: 2rem 0 0.5rem; padding-top: 0.75rem; border-top: 1px solid var(--rule); font-size: 1.2rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: 0.75rem; margin: 1rem 0; }
dt { color: var(--muted); font-size: 0.85rem; }
dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 0; min-width: 0; }
figure > svg { display: block; width: 100%; height: auto; }
.hover rect { fill: transparent; }
.hover path, .hover text { display: none; pointer-events: none; }
.hover g:hover path, .hover g:hover text { display: inline; }
.hover path { stroke: var(--muted); }
.hover text { fill: var(--ink); font: 14px system-ui, sans-serif; }
figcaption { color: var(--muted); font-size: 0.85rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1.5rem; margin: 1rem 0; }
.grids { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)); gap: 1rem; }
img { display: block; width: 100%; height: auto; background: #000; image-rendering: pixelated; }
.strip { display: flex; gap: 0.5rem; max-width: 48rem; }
.strip img { flex: 1; min-width: 0; align-self: start; }
.rows { display: grid; grid-auto-rows: 1fr; }
.rows span { align-self: center; font-size: 0.85rem; white-space: nowrap; text-align: right; }
.wide { overflow-x: auto; }
.measured figure { max-width: 48rem; margin: 1rem 0; }
.measured td { white-space: nowrap; }
.measured tbody th { min-width: 16rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid var(--rule); text-align: left; font-weight: 400; }
thead th { color: var(--muted); font-size: 0.85rem; }
details { margin: 1rem 0; }
summary { cursor: pointer; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid var(--rule); font-size: 0.85rem; }
.warning { color: var(--warn); }
`.trim();
