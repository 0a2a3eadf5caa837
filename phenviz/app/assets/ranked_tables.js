// Short ranked tables behind tabs; they scroll, and a click on a row is told to Python.
const STYLE = `
.dock { display: flex; flex-direction: column; height: 100%; font: 12px/1.35 var(--phenviz-font, system-ui, sans-serif);
  color: var(--panel-on-background-color, #222);
  border-top: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.tabs { display: flex; flex: none; gap: 4px; padding: 0 8px; height: 33px; }
.tabs button { border: none; background: none; color: inherit; font: 500 13px/1 inherit; font-size: 13px; padding: 0 10px;
  cursor: pointer; opacity: 0.75; border-bottom: 2px solid transparent; }
.tabs button[aria-selected=true] { opacity: 1; color: var(--panel-primary-color, #1a73e8);
  border-bottom-color: var(--panel-primary-color, #1a73e8); }
.scroll { flex: 1; min-height: 0; overflow-y: auto; }
.scroll[hidden] { display: none; }
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

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

export function render({model}) {
  const tabs = make("div", {className: "tabs"})
  tabs.setAttribute("role", "tablist")
  const dock = make("div", {className: "dock"}, tabs)
  const panels = model.titles.map(([key, title], number) => {
    const tab = make("button", {type: "button", textContent: title})
    tab.setAttribute("role", "tab")
    const panel = make("div", {className: "scroll"})
    panel.setAttribute("role", "tabpanel")
    panel.dataset.testid = `table-${key}`
    tab.addEventListener("click", () => choose(number))
    tabs.append(tab)
    dock.append(panel)
    return {key, tab, panel, drawn: null}
  })
  const choose = (chosen) => panels.forEach(({tab, panel}, number) => {
    tab.setAttribute("aria-selected", String(number === chosen))
    panel.hidden = number !== chosen
  })
  const fill = ({key, panel}) => {
    const {columns, rows, words} = model.tables[key]
    if (!rows.length) {
      panel.replaceChildren(make("div", {className: "empty", textContent: words}))
      return
    }
    const head = make("tr", {}, ...columns.map(([title, kind]) => make("th", {textContent: title, className: kind})))
    const body = rows.map((cells, number) => {
      const row = make("tr", {title: "Go there"}, ...cells.map((text, column) =>
        make("td", {textContent: text, className: columns[column][1]})))
      row.addEventListener("click", () => {
        panel.querySelectorAll("tr.chosen").forEach((other) => other.classList.remove("chosen"))
        row.classList.add("chosen")
        model.send_msg({table: key, row: number})
      })
      return row
    })
    panel.replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)))
  }
  const update = () => panels.forEach((part) => {
    const now = JSON.stringify(model.tables[part.key])
    if (now === part.drawn) return
    part.drawn = now
    fill(part)
  })
  model.on("tables", update)
  choose(0)
  update()
  return make("div", {style: "height: 100%"}, make("style", {textContent: STYLE}), dock)
}
