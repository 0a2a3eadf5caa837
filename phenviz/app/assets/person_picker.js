// Whose genome: a source, then a name. A dropped file goes to this machine's server in pieces, one at a time.
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
.drop { border: 1.5px dashed color-mix(in srgb, currentColor 35%, transparent); border-radius: 8px; padding: 12px 10px; text-align: center;
  font-size: 12px; cursor: pointer; display: block; }
.drop:hover, .drop.over { border-color: var(--panel-primary-color, #1a73e8);
  background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 7%, transparent); }
.drop input { position: absolute; width: 1px; height: 1px; opacity: 0; }
.drop:focus-within { outline: 2px solid var(--panel-primary-color, #1a73e8); }
.note { font-size: 12px; overflow-wrap: anywhere; }
.note.failed { color: var(--phenviz-bad, #b3261e); }
progress { width: 100%; height: 5px; accent-color: var(--panel-primary-color, #1a73e8); }
`
const PIECE = 3 * 2 ** 20

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

async function base64(blob) {
  const address = await new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result)
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(blob)
  })
  return address.slice(address.indexOf(",") + 1)
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
  const file = make("input", {type: "file", accept: model.suffixes})
  file.dataset.testid = "vcf-file"
  const drop = make("label", {className: "drop"}, file,
    make("b", {textContent: "Drop a VCF here"}), make("br"), "or press to choose one. It stays on this machine, and is removed with this tab.")
  const bar = make("progress", {max: 1, value: 0, hidden: true})
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

  const taken = () => new Promise((resolve) => {
    const before = model.answered
    const check = () => { if (model.answered !== before) { model.off?.("answered", check); resolve() } }
    model.on("answered", check)
  })
  const upload = async (chosen) => {
    bar.hidden = false
    bar.value = 0
    let ready = taken()
    model.send_msg({begin: chosen.name, size: chosen.size})
    await ready
    for (let number = 0; number * PIECE < chosen.size && !model.failed; number += 1) {
      const content = await base64(chosen.slice(number * PIECE, (number + 1) * PIECE))
      ready = taken()
      model.send_msg({piece: content, name: chosen.name, number})
      await ready
      bar.value = Math.min(1, (number + 1) * PIECE / chosen.size)
    }
    bar.hidden = true
    file.value = ""
  }
  file.addEventListener("change", () => { if (file.files.length) upload(file.files[0]) })
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => {
    event.preventDefault()
    drop.classList.add("over")
  })
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"))
  drop.addEventListener("drop", (event) => {
    event.preventDefault()
    if (event.dataTransfer.files.length) upload(event.dataTransfer.files[0])
  })

  const options = (select, pairs, value) => {
    select.replaceChildren(...pairs.map(([key, title]) => make("option", {value: key, textContent: title})))
    select.value = value
  }
  const update = () => {
    options(source, model.sources, model.source)
    options(population, [["", "All populations"], ...model.populations.map(([name, size]) => [name, `${name} (${size})`])],
      model.population)
    population.hidden = model.populations.length < 2
    drop.hidden = model.source !== "upload"
    drop.style.display = drop.hidden ? "none" : ""
    people.style.display = model.total || model.search || model.population ? "contents" : "none"
    list.replaceChildren(...model.people.map(([name, origin]) => {
      const button = make("button", {type: "button"}, make("span", {textContent: name}), make("span", {className: "origin", textContent: origin}))
      button.setAttribute("aria-pressed", String(name === model.chosen))
      button.dataset.testid = `person-${name}`
      button.addEventListener("click", () => model.send_msg({sample: name}))
      return button
    }))
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
  const root = make("div", {className: "picker"}, make("h3", {textContent: "Individual"}), source, drop, bar, note, people)
  return make("div", {}, make("style", {textContent: STYLE}), root)
}
