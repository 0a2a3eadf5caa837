// One page of a long table: what is typed, sorted and clicked is told to Python, which has the rows.
const STYLE = `
.grid { display: flex; flex-direction: column; height: 100%; min-height: 0; font: 12px/1.35 var(--phenviz-font, system-ui, sans-serif);
  color: var(--panel-on-background-color, #222); }
.bar { display: flex; flex: none; gap: 10px; align-items: center; padding: 4px 8px; height: 30px; }
.bar input { flex: 0 1 300px; min-width: 120px; height: 26px; box-sizing: border-box; padding: 0 9px; border-radius: 6px; font: inherit;
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent); background: transparent; color: inherit; }
.bar input:focus { outline: 2px solid var(--panel-primary-color, #1a73e8); outline-offset: -1px; }
.bar .count { flex: 1; opacity: 0.75; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.bar button { width: 28px; height: 26px; border-radius: 6px; border: none; font: inherit; cursor: pointer; color: inherit;
  background: color-mix(in srgb, currentColor 8%, transparent); }
.bar button:disabled { opacity: 0.35; cursor: default; }
.scroll { flex: 1; min-height: 0; overflow: auto; container-type: inline-size; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; z-index: 1; text-align: left; font-weight: 600; padding: 0; white-space: nowrap;
  background: var(--panel-background-color, #fff);
  box-shadow: inset 0 -1px 0 color-mix(in srgb, currentColor 18%, transparent); }
th button { all: unset; display: block; box-sizing: border-box; width: 100%; padding: 4px 10px; cursor: pointer; }
th button:hover { background: color-mix(in srgb, currentColor 6%, transparent); }
th button:focus-visible { outline: 2px solid var(--panel-primary-color, #1a73e8); outline-offset: -2px; }
td { padding: 3px 10px; white-space: nowrap; max-width: 260px; overflow: hidden; text-overflow: ellipsis; }
th.number button, td.number, th.effect button, td.effect { text-align: right; }
td.allele { max-width: 84px; }
@container (max-width: 860px) { td, th button { padding-left: 6px; padding-right: 6px; } }
td.effect.up { color: var(--phenviz-up, #b3261e); }
td.effect.down { color: var(--phenviz-down, #1f5f8b); }
tbody tr { cursor: pointer; scroll-margin-top: 26px; }
tbody tr:hover { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 10%, transparent); }
tbody tr:focus-visible { outline: 2px solid var(--panel-primary-color, #1a73e8); outline-offset: -2px; }
tbody tr.chosen { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 18%, transparent); }
.empty { display: flex; align-items: center; justify-content: center; height: 100%; min-height: 60px; opacity: 0.8;
  text-align: center; padding: 0 24px; font-size: 13px; }
`

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

export function render({model}) {
  const search = make("input", {type: "search", placeholder: `Filter: ${model.hint}`})
  search.setAttribute("aria-label", "Filter the table")
  search.dataset.testid = `${model.testid}-filter`
  const count = make("span", {className: "count"})
  count.dataset.testid = `${model.testid}-count`
  const back = make("button", {type: "button", textContent: "‹", title: "Page before"})
  const forth = make("button", {type: "button", textContent: "›", title: "Next page"})
  const scroll = make("div", {className: "scroll"})
  scroll.dataset.testid = model.testid
  const bar = make("div", {className: "bar"}, search, count, back, forth)
  const grid = make("div", {className: "grid"}, bar, scroll)

  let waiting = null
  search.addEventListener("input", () => {
    clearTimeout(waiting)
    waiting = setTimeout(() => model.send_msg({filter: search.value}), 250)
  })
  back.addEventListener("click", () => model.send_msg({page: -1}))
  forth.addEventListener("click", () => model.send_msg({page: 1}))

  const head = () => make("tr", {}, ...model.columns.map(([name, title, kind]) => {
    const {sort, descending} = model.status
    const sorted = sort === name
    const button = make("button", {type: "button", textContent: sorted ? `${title} ${descending ? "↓" : "↑"}` : title})
    button.addEventListener("click", () => model.send_msg({sort: name}))
    const cell = make("th", {className: kind}, button)
    if (sorted) cell.setAttribute("aria-sort", descending ? "descending" : "ascending")
    return cell
  }))

  const row = (cells, number) => {
    const key = model.keys[number]
    const line = make("tr", {}, ...cells.map((text, column) => {
      const kind = model.columns[column]?.[2] ?? ""
      const sign = kind === "effect" && text ? (text.startsWith("-") || text.startsWith("−") ? " down" : " up") : ""
      return make("td", {textContent: text, title: text.length > 9 ? text : "", className: kind + sign})
    }))
    const chosen = key === model.status.chosen
    line.dataset.key = key
    line.classList.toggle("chosen", chosen)
    line.setAttribute("aria-selected", String(chosen))
    return line
  }
  const focused = () => scroll.getRootNode().activeElement
  const focusedKey = () => focused()?.closest("tbody tr")?.dataset.key

  let drawn = null
  // key of the row that had the focus, while it is not on screen
  let gone
  const update = () => {
    const status = model.status
    const now = JSON.stringify([model.columns, model.rows, model.keys, status])
    if (now === drawn) return
    drawn = now
    const {total, matching, first, page, words} = status
    const pieces = [total ? `${matching.toLocaleString("en-US")} of ${total.toLocaleString("en-US")}` : ""]
    if (matching > page) pieces.push(`rows ${first + 1} to ${Math.min(first + page, matching)}`)
    count.textContent = pieces.filter(Boolean).join(" · ")
    back.disabled = first === 0
    forth.disabled = first + page >= matching
    if (focused() !== search) search.value = status.filter
    const key = focusedKey() ?? (document.activeElement === document.body ? gone : undefined)
    gone = key
    if (words) {
      scroll.replaceChildren(make("div", {className: "empty", textContent: words}))
      return
    }
    const top = scroll.scrollTop
    const column = [...scroll.querySelectorAll("th button")].indexOf(focused())
    const keys = [...model.keys]
    const lines = model.rows.map(row)
    const table = make("table", {}, make("thead", {}, head()), make("tbody", {}, ...lines))
    // only in a grid may a row be selected
    table.setAttribute("role", "grid")
    scroll.replaceChildren(table)
    scroll.scrollTop = top
    const called = (key) => lines[keys.indexOf(key)]
    pressable(lines, (number) => model.send_msg({row: keys[number]}), called(key) ?? called(status.chosen))
    if (called(key)) gone = undefined
    const held = called(key) ?? table.querySelectorAll("th button")[column]
    held?.focus({preventScroll: true})
  }
  for (const name of ["columns", "rows", "keys", "status"]) model.on(name, update)
  update()
  return make("div", {style: "height: 100%"}, make("style", {textContent: STYLE}), grid)
}
