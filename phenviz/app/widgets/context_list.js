// Contexts by group: tick to show, the dot on the right chooses the one that is explained.
const STYLE = `
.list { font: 13px/1.35 var(--phenviz-font, system-ui, sans-serif); color: var(--panel-on-background-color, #222); }
.search { width: 100%; box-sizing: border-box; height: 32px; padding: 0 10px; border-radius: 6px; font: inherit;
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent); background: transparent; color: inherit; }
.search:focus { outline: 2px solid var(--panel-primary-color, #1a73e8); outline-offset: -1px; }
.bar { display: flex; gap: 10px; align-items: baseline; margin: 8px 2px 4px; font-size: 12px; }
.bar .count { flex: 1; opacity: 0.75; }
.bar button { border: none; background: none; padding: 0; font: inherit; cursor: pointer;
  color: var(--panel-primary-color, #1a73e8); }
.bar button:hover { text-decoration: underline; }
details { margin-top: 4px; }
summary { display: flex; align-items: center; gap: 6px; height: 26px; cursor: pointer; font-weight: 600;
  list-style: none; border-radius: 5px; padding: 0 4px; }
summary::-webkit-details-marker { display: none; }
summary::before { content: "▸"; width: 10px; font-size: 11px; opacity: 0.6; }
details[open] > summary::before { content: "▾"; }
summary:hover, .row:hover { background: color-mix(in srgb, currentColor 6%, transparent); }
.row { display: flex; align-items: center; gap: 6px; min-height: 26px; padding: 0 4px 0 20px; border-radius: 5px; }
.row.focus { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 13%, transparent); }
.row label { display: flex; flex: 1; align-items: center; gap: 7px; min-width: 0; cursor: pointer; }
.swatch { flex: none; width: 10px; height: 10px; border-radius: 3px; }
.name { font-weight: 500; white-space: nowrap; }
.label { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; opacity: 0.68; font-size: 12px; }
input[type=checkbox], input[type=radio] { margin: 0; flex: none; cursor: pointer; width: 14px; height: 14px;
  accent-color: var(--panel-primary-color, #1a73e8); }
input[type=radio] { opacity: 0.35; }
.row:hover input[type=radio], input[type=radio]:checked { opacity: 1; }
.empty { padding: 12px 6px; opacity: 0.75; }
`

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

// Of more contexts than this, groups are closed at first; of a group, so many rows are drawn.
const MOST_OPEN = 100
const MOST_ROWS = 200

export function render({model}) {
  const selected = () => new Set(model.selected)
  const send = (names) => model.send_msg({selected: items.map((i) => i.name).filter((n) => names.has(n))})
  const search = make("input", {className: "search", type: "search", placeholder: "Search name, label or CURIE"})
  search.setAttribute("aria-label", "Search contexts")
  search.dataset.testid = "context-search"
  const count = make("span", {className: "count"})
  const all = make("button", {type: "button", textContent: "All"})
  const none = make("button", {type: "button", textContent: "None"})
  all.dataset.testid = "contexts-all"
  none.dataset.testid = "contexts-none"
  const list = make("div")
  const empty = make("div", {className: "empty", hidden: true})
  const rows = new Map()
  const groups = new Map()
  let items = []
  const settleStop = one_stop_in(list, "input[type=checkbox]", ["ArrowUp", "ArrowDown"])

  const tick = (names, on) => {
    const now = selected()
    for (const name of names) on ? now.add(name) : now.delete(name)
    send(now)
  }
  const fitting = () => {
    const query = search.value.trim().toLowerCase()
    return items.filter((item) => item.text.includes(query))
  }
  all.addEventListener("click", () => tick(fitting().map((item) => item.name), true))
  none.addEventListener("click", () => tick(fitting().map((item) => item.name), false))

  const makeRow = (item) => {
    const box = make("input", {type: "checkbox"})
    box.dataset.testid = `context-${item.name}`
    box.addEventListener("change", () => tick([item.name], box.checked))
    const swatch = make("span", {className: "swatch"})
    swatch.style.background = item.colour
    const label = make("label", {title: `${item.name}: ${item.label}, ${item.curie}. ${item.note}`}, box, swatch,
      make("span", {className: "name", textContent: item.name}))
    if (item.label !== item.name) label.append(make("span", {className: "label", textContent: item.label}))
    const dot = make("input", {type: "radio", name: "focus", title: `Explain ${item.label}`})
    dot.setAttribute("aria-label", `Explain ${item.label}`)
    dot.dataset.testid = `focus-${item.name}`
    dot.addEventListener("change", () => dot.checked && model.send_msg({focus: item.name}))
    return {element: make("div", {className: "row"}, label, dot), box, dot}
  }
  const rowOf = (item) => {
    if (!rows.has(item.name)) rows.set(item.name, makeRow(item))
    return rows.get(item.name).element
  }

  const makeGroup = (name, members) => {
    const box = make("input", {type: "checkbox"})
    box.dataset.testid = `group-${name}`
    box.setAttribute("aria-label", `Tick all ${name}`)
    box.addEventListener("click", (event) => event.stopPropagation())
    box.addEventListener("change", () => tick(members.map((item) => item.name), box.checked))
    const many = items.length > MOST_OPEN
    const head = make("summary", {tabIndex: -1}, box, many ? `${name} (${members.length})` : name)
    const body = make("div")
    const details = make("details", {open: !many}, head, body)
    // arrow keys fold it from its box
    box.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft" || event.key === "ArrowRight") details.open = event.key === "ArrowRight"
    })
    const group = {details, box, body, members, shown: members, open: !many}
    details.addEventListener("toggle", () => {
      if (!search.value.trim()) group.open = details.open
      fill(group)
      update()
    })
    return group
  }

  // rows are made where they are looked at
  const fill = ({details, body, shown}) => {
    const drawn = details.open ? shown.slice(0, MOST_ROWS) : []
    body.replaceChildren(...drawn.map(rowOf))
    if (details.open && shown.length > drawn.length)
      body.append(make("div", {className: "empty", textContent: `${shown.length - drawn.length} more: search to narrow down`}))
  }

  const build = () => {
    rows.clear()
    groups.clear()
    items = model.items.map((item) => ({...item, text: `${item.name} ${item.label} ${item.curie} ${item.group}`.toLowerCase()}))
    const members = new Map()
    for (const item of items) members.has(item.group) ? members.get(item.group).push(item) : members.set(item.group, [item])
    for (const [name, own] of members) groups.set(name, makeGroup(name, own))
    list.replaceChildren(...[...groups.values()].map((group) => group.details))
    filter()
  }

  const update = () => {
    const now = selected()
    for (const [name, row] of rows) {
      row.box.checked = now.has(name)
      row.dot.checked = name === model.focused
      row.element.classList.toggle("focus", name === model.focused)
    }
    for (const {box, members} of groups.values()) {
      const ticked = members.filter((item) => now.has(item.name)).length
      box.checked = ticked === members.length
      box.indeterminate = ticked > 0 && ticked < members.length
    }
    count.textContent = `${now.size} of ${items.length} shown`
    settleStop()
  }

  const filter = () => {
    const query = search.value.trim()
    const fits = new Set(fitting())
    for (const group of groups.values()) {
      group.shown = group.members.filter((item) => fits.has(item))
      group.details.hidden = group.shown.length === 0
      // a search opens what fits; without one each is as it was left
      group.details.open = query !== "" || group.open
      fill(group)
    }
    empty.hidden = fits.size > 0
    empty.textContent = `No context fits “${search.value}”.`
    update()
  }

  search.addEventListener("input", filter)
  model.on("items", build)
  model.on("selected", update)
  model.on("focused", update)
  build()
  const rule = make("style", {textContent: STYLE + "[hidden] { display: none !important; }"})
  return make("div", {className: "list"}, rule, search, make("div", {className: "bar"}, count, all, none), list, empty)
}
