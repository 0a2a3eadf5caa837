// Short ranked tables behind tabs; they scroll, and a row that is clicked or entered is told to Python.
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
tbody tr { cursor: pointer; scroll-margin-top: 26px; }
tbody tr:hover { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 10%, transparent); }
tbody tr:focus-visible { outline: 2px solid var(--panel-primary-color, #1a73e8); outline-offset: -2px; }
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
    return {key, tab, panel, drawn: null, chosen: null}
  })
  const choose = (chosen) => panels.forEach(({tab, panel}, number) => {
    tab.setAttribute("aria-selected", String(number === chosen))
    panel.hidden = number !== chosen
  })
  // ranks change while a result grows: position and base, or motif and position, stay
  const nameOf = (cells) => cells.slice(0, 2).join(" ")
  const mark = ({panel, chosen}) => panel.querySelectorAll("tbody tr").forEach((row) => {
    row.classList.toggle("chosen", row.dataset.name === chosen)
    row.setAttribute("aria-selected", String(row.dataset.name === chosen))
  })
  const rowOf = (cells, columns) => {
    const row = make("tr", {}, ...cells.map((text, column) => make("td", {textContent: text, className: columns[column][1]})))
    row.dataset.name = nameOf(cells)
    return row
  }
  const fill = (part) => {
    const {key, panel} = part
    const {columns, rows, words} = model.tables[key]
    if (!rows.length) {
      panel.replaceChildren(make("div", {className: "empty", textContent: words}))
      return
    }
    const head = make("tr", {}, ...columns.map(([title, kind]) => make("th", {textContent: title, className: kind})))
    const body = rows.map((cells) => rowOf(cells, columns))
    const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))
    // only in a grid may a row be selected
    table.setAttribute("role", "grid")
    const held = panel.getRootNode().activeElement
    const focused = held && panel.contains(held) ? held.dataset.name : undefined
    const top = panel.scrollTop
    panel.replaceChildren(table)
    panel.scrollTop = top
    mark(part)
    const called = (name) => body.find((row) => row.dataset.name === name)
    pressable(body, (number) => {
      part.chosen = body[number].dataset.name
      mark(part)
      model.send_msg({table: key, row: number})
    }, called(focused) ?? called(part.chosen))
    called(focused)?.focus({preventScroll: true})
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
