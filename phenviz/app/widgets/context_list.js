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

export function render({model}) {
  const selected = () => new Set(model.selected)
  const send = (names) => model.send_msg({selected: model.items.map((i) => i.name).filter((n) => names.has(n))})
  const search = make("input", {className: "search", type: "search", placeholder: "Search name, label or CURIE"})
  search.setAttribute("aria-label", "Search contexts")
  search.dataset.testid = "context-search"
  const count = make("span", {className: "count"})
  const all = make("button", {type: "button", textContent: "All"})
  const none = make("button", {type: "button", textContent: "None"})
  all.dataset.testid = "contexts-all"
  none.dataset.testid = "contexts-none"
  const groups = make("div")
  const empty = make("div", {className: "empty", hidden: true})
  const rows = new Map()
  const heads = new Map()
  let moveStop

  const tick = (names, on) => {
    const now = selected()
    for (const name of names) on ? now.add(name) : now.delete(name)
    send(now)
  }
  const visible = () => [...rows].filter(([, row]) => !row.element.hidden).map(([name]) => name)
  all.addEventListener("click", () => tick(visible(), true))
  none.addEventListener("click", () => tick(visible(), false))

  const buildRow = (item) => {
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
    const element = make("div", {className: "row"}, label, dot)
    const text = `${item.name} ${item.label} ${item.curie} ${item.group}`.toLowerCase()
    rows.set(item.name, {element, box, dot, text})
    return element
  }

  const build = () => {
    rows.clear()
    heads.clear()
    const members = new Map()
    for (const item of model.items) members.set(item.group, [...(members.get(item.group) ?? []), item])
    groups.replaceChildren(...[...members].map(([group, items]) => {
      const box = make("input", {type: "checkbox"})
      box.dataset.testid = `group-${group}`
      box.setAttribute("aria-label", `Tick all ${group}`)
      box.addEventListener("click", (event) => event.stopPropagation())
      box.addEventListener("change", () => tick(items.map((i) => i.name), box.checked))
      // arrow keys fold it from its box
      const details = make("details", {open: true}, make("summary", {tabIndex: -1}, box, group), ...items.map(buildRow))
      box.addEventListener("keydown", (event) => {
        if (event.key === "ArrowLeft" || event.key === "ArrowRight") details.open = event.key === "ArrowRight"
      })
      heads.set(group, {details, box, names: items.map((i) => i.name)})
      return details
    }))
    moveStop = one_stop([...groups.querySelectorAll("input[type=checkbox]")], ["ArrowUp", "ArrowDown"])
    update()
    filter()
  }

  const update = () => {
    const now = selected()
    for (const [name, row] of rows) {
      row.box.checked = now.has(name)
      row.dot.checked = name === model.focused
      row.element.classList.toggle("focus", name === model.focused)
    }
    for (const {box, names} of heads.values()) {
      const ticked = names.filter((name) => now.has(name)).length
      box.checked = ticked === names.length
      box.indeterminate = ticked > 0 && ticked < names.length
    }
    count.textContent = `${now.size} of ${model.items.length} shown`
  }

  const filter = () => {
    const query = search.value.trim().toLowerCase()
    for (const row of rows.values()) row.element.hidden = !row.text.includes(query)
    for (const {details, names} of heads.values()) {
      details.hidden = names.every((name) => rows.get(name).element.hidden)
      if (query) details.open = true
    }
    const boxes = [...groups.querySelectorAll("input[type=checkbox]")].filter((box) => !box.closest("[hidden]"))
    if (boxes.length && !boxes.some((box) => box.tabIndex === 0)) moveStop(boxes[0])
    empty.hidden = visible().length > 0
    empty.textContent = `No context fits “${search.value}”.`
  }

  search.addEventListener("input", filter)
  model.on("items", build)
  model.on("selected", update)
  model.on("focused", update)
  build()
  const rule = make("style", {textContent: STYLE + "[hidden] { display: none !important; }"})
  return make("div", {className: "list"}, rule, search, make("div", {className: "bar"}, count, all, none), groups, empty)
}
