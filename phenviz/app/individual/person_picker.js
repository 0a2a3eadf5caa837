// Whose genome: a source, then a name.
const STYLE = `
.picker { font: 13px/1.4 var(--phenviz-font, system-ui, sans-serif); color: var(--panel-on-background-color, #222);
  display: flex; flex-direction: column; gap: 6px; }
h3 { margin: 4px 0 0; font-size: 12px; font-weight: 600; opacity: 0.75; }
select, input[type=search] { width: 100%; box-sizing: border-box; height: 32px; padding: 0 8px; border-radius: 6px; font: inherit;
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent); color: inherit;
  background: var(--panel-background-color, #fff); }
select:focus, input:focus { outline: 2px solid var(--panel-primary-color, #1a73e8); outline-offset: -1px; }
.list { height: 168px; overflow-y: auto; border-radius: 6px; border: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
.list button { all: unset; display: flex; box-sizing: border-box; width: 100%; gap: 8px; padding: 3px 9px; cursor: pointer;
  justify-content: space-between; }
.list button:hover { background: color-mix(in srgb, currentColor 7%, transparent); }
.list button:focus-visible { outline: 2px solid var(--panel-primary-color, #1a73e8); outline-offset: -2px; }
.list button[aria-pressed=true] { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 18%, transparent);
  font-weight: 600; }
.origin, .quiet { opacity: 0.7; font-size: 12px; }
.note { font-size: 12px; overflow-wrap: anywhere; }
.note.failed { color: var(--phenviz-bad, #b3261e); }
`

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

export function render({model}) {
  const source = make("select")
  source.setAttribute("aria-label", "Where the genome comes from")
  source.dataset.testid = "source"
  const population = make("select")
  population.setAttribute("aria-label", "Population")
  population.dataset.testid = "population"
  const search = make("input", {type: "search", placeholder: "Search a name"})
  search.setAttribute("aria-label", "Search individuals")
  search.dataset.testid = "person-search"
  const list = make("div", {className: "list"})
  const count = make("div", {className: "quiet"})
  count.dataset.testid = "person-count"
  const note = make("div", {className: "note"})
  note.dataset.testid = "person-note"
  const people = make("div", {style: "display: contents"}, population, search, list, count)

  source.addEventListener("change", () => model.send_msg({source: source.value}))
  population.addEventListener("change", () => model.send_msg({population: population.value}))
  let typing = null
  search.addEventListener("input", () => {
    clearTimeout(typing)
    typing = setTimeout(() => model.send_msg({search: search.value}), 150)
  })

  const options = (select, pairs, value) => {
    select.replaceChildren(...pairs.map(([key, title]) => make("option", {value: key, textContent: title})))
    select.value = value
  }
  let inView = ""
  const update = () => {
    options(source, model.sources, model.source)
    options(population, [["", "All populations"], ...model.populations.map(([name, size]) => [name, `${name} (${size})`])],
      model.population)
    population.hidden = model.populations.length < 2
    people.style.display = model.total || model.search || model.population ? "contents" : "none"
    const focused = list.contains(list.getRootNode().activeElement)
    const buttons = model.people.map(([name, origin]) => {
      const button = make("button", {type: "button"}, make("span", {textContent: name}), make("span", {className: "origin", textContent: origin}))
      button.setAttribute("aria-pressed", String(name === model.chosen))
      button.dataset.testid = `person-${name}`
      return button
    })
    const scrolled = list.scrollTop
    list.replaceChildren(...buttons)
    list.scrollTop = scrolled
    const chosen = buttons.find((button) => button.getAttribute("aria-pressed") === "true")
    if (buttons.length) pressable(buttons, (number) => model.send_msg({sample: model.people[number][0]}), chosen)
    if (focused) chosen?.focus()
    // once for each choice, when there is something to scroll; scrollIntoView would move the page, too
    if (chosen && model.chosen !== inView && list.clientHeight) {
      const top = chosen.offsetTop - list.offsetTop
      if (top < scrolled || top + chosen.offsetHeight > scrolled + list.clientHeight) list.scrollTop = top - list.clientHeight / 2
      inView = model.chosen
    }
    count.textContent = model.total > model.people.length ? `${model.people.length} of ${model.total} shown: search to narrow down`
      : `${model.total} individual${model.total === 1 ? "" : "s"}`
    note.textContent = model.note
    note.className = model.failed ? "note failed" : "note"
    note.hidden = !model.note
  }
  for (const name of ["sources", "source", "population", "populations", "people", "total", "chosen", "note", "failed"]) {
    model.on(name, update)
  }
  update()
  // once it is on screen and has a height
  requestAnimationFrame(update)
  const root = make("div", {className: "picker"}, make("h3", {textContent: "Individual"}), source, note, people)
  return make("div", {}, make("style", {textContent: STYLE}), root)
}
