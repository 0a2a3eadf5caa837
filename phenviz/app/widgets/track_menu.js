// Which tracks are shown; below, what could be fetched for more.
const STYLE = `
.menu { position: relative; font: 12px/1.4 var(--phenviz-font, system-ui, sans-serif);
  color: var(--panel-on-background-color, #222); }
summary { list-style: none; cursor: pointer; height: 26px; line-height: 26px; padding: 0 10px; border-radius: 5px;
  border: 1px solid color-mix(in srgb, currentColor 25%, transparent); white-space: nowrap; font-weight: 500; }
summary::-webkit-details-marker { display: none; }
summary::after { content: " ▾"; opacity: 0.6; }
.panel { position: absolute; top: 32px; left: 0; z-index: 30; width: 270px; padding: 8px; border-radius: 8px;
  background: var(--panel-surface-color, #fff); color: var(--panel-on-surface-color, #222);
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent); box-shadow: 0 6px 24px rgba(0, 0, 0, 0.22); }
label { display: flex; gap: 8px; align-items: center; padding: 3px 4px; border-radius: 5px; cursor: pointer; }
label:hover { background: color-mix(in srgb, currentColor 6%, transparent); }
input { accent-color: var(--panel-primary-color, #1a73e8); margin: 0; }
.note { border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); margin-top: 6px; padding: 8px 4px 2px;
  overflow-wrap: anywhere; max-height: 40vh; overflow-y: auto; }
.note[hidden], .note button[hidden] { display: none; }
.note button { margin-top: 6px; padding: 3px 10px; border-radius: 5px; font: inherit; cursor: pointer; background: none;
  border: 1px solid var(--panel-primary-color, #1a73e8); color: var(--panel-primary-color, #1a73e8); }
`

export function render({model}) {
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties)
    element.append(...children)
    return element
  }
  const list = make("div")
  const words = make("div")
  const button = make("button", {type: "button"})
  button.addEventListener("click", () => model.send_msg({action: "press"}))
  const note = make("div", {className: "note"}, words, button)
  const summary = make("summary")
  const details = make("details", {className: "menu"}, summary, make("div", {className: "panel"}, list, note))
  details.dataset.testid = "track-menu"
  document.addEventListener("pointerdown", (event) => {
    if (details.open && !event.composedPath().includes(details)) details.open = false
  })
  document.addEventListener("keydown", (event) => {
    if (!details.open || event.key !== "Escape") return
    details.open = false
    summary.focus()
  })
  const update = () => {
    const hidden = new Set(model.hidden)
    list.replaceChildren(...model.tracks.map(([name, label]) => {
      const box = make("input", {type: "checkbox", checked: !hidden.has(name)})
      box.dataset.testid = `track-${name}`
      box.addEventListener("change", () => {
        box.checked ? hidden.delete(name) : hidden.add(name)
        model.send_msg({hidden: [...hidden]})
      })
      return make("label", {}, box, label)
    }))
    // what is missing shall be seen without opening the menu
    summary.textContent = model.action ? "Tracks · 1 to fetch" : "Tracks"
    words.textContent = model.note
    note.hidden = !model.note
    button.textContent = model.action
    button.hidden = !model.action
  }
  for (const name of ["tracks", "hidden", "note", "action"]) model.on(name, update)
  update()
  const root = make("div")
  root.append(make("style", {textContent: STYLE}), details)
  return root
}
