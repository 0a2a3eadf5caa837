// A short ranked table that scrolls; a click on a row is told to Python.
const STYLE = `
.scroll { height: 100%; overflow-y: auto; font: 12px/1.35 var(--phenviz-font, system-ui, sans-serif);
  color: var(--panel-on-background-color, #222); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; z-index: 1; text-align: left; font-weight: 600; padding: 4px 10px;
  background: var(--panel-background-color, #fff);
  box-shadow: inset 0 -1px 0 color-mix(in srgb, currentColor 18%, transparent); }
td { padding: 3px 10px; white-space: nowrap; }
th.number, td.number { text-align: right; }
th:last-child, td:last-child { width: 40%; }
tbody tr { cursor: pointer; }
tbody tr:hover { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 10%, transparent); }
tbody tr.chosen { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 18%, transparent); }
.empty { display: flex; align-items: center; justify-content: center; height: 100%; opacity: 0.8; text-align: center;
  padding: 0 24px; font-size: 13px; }
`

export function render({model}) {
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties)
    element.append(...children)
    return element
  }
  const body = make("div", {className: "scroll"})
  body.dataset.testid = model.testid
  const update = () => {
    if (!model.rows.length) {
      body.replaceChildren(make("div", {className: "empty", textContent: model.words}))
      return
    }
    const head = make("tr", {}, ...model.columns.map(([title, kind]) => make("th", {textContent: title, className: kind})))
    const rows = model.rows.map((cells, number) => {
      const row = make("tr", {title: "Go there"}, ...cells.map((text, column) =>
        make("td", {textContent: text, className: model.columns[column][1]})))
      row.addEventListener("click", () => {
        body.querySelectorAll("tr.chosen").forEach((other) => other.classList.remove("chosen"))
        row.classList.add("chosen")
        model.send_msg({row: number})
      })
      return row
    })
    body.replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)))
  }
  for (const name of ["rows", "words"]) model.on(name, update)
  update()
  return make("div", {style: "height: 100%"}, make("style", {textContent: STYLE}), body)
}
