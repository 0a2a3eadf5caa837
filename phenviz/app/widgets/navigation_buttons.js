// Small buttons that tell Python which of them was pressed. Drawn once; only `disabled` changes.
const GROUPS = {
  history: [
    {action: "back", label: "‹", title: "Back to the view before", id: "back"},
    {action: "forward", label: "›", title: "Forward", id: "forward"},
  ],
  zoom: [
    {action: "zoom", amount: 10, label: "10", title: "Zoom out 10 times", id: "zoom-out-10"},
    {action: "zoom", amount: 3, label: "3", title: "Zoom out 3 times", id: "zoom-out-3"},
    {action: "zoom", amount: 1.5, label: "1.5", title: "Zoom out 1.5 times", id: "zoom-out-1.5"},
    {text: "− zoom +"},
    {action: "zoom", amount: 1 / 1.5, label: "1.5", title: "Zoom in 1.5 times", id: "zoom-in-1.5"},
    {action: "zoom", amount: 1 / 3, label: "3", title: "Zoom in 3 times", id: "zoom-in-3"},
    {action: "zoom", amount: 1 / 10, label: "10", title: "Zoom in 10 times", id: "zoom-in-10"},
    {gap: true},
    {action: "move", amount: -0.95, label: "⋘", title: "Move left by 95 %", id: "move-left-95"},
    {action: "move", amount: -0.5, label: "≪", title: "Move left by 50 %", id: "move-left-50"},
    {action: "move", amount: -0.1, label: "<", title: "Move left by 10 %", id: "move-left-10"},
    {text: "move"},
    {action: "move", amount: 0.1, label: ">", title: "Move right by 10 %", id: "move-right-10"},
    {action: "move", amount: 0.5, label: "≫", title: "Move right by 50 %", id: "move-right-50"},
    {action: "move", amount: 0.95, label: "⋙", title: "Move right by 95 %", id: "move-right-95"},
  ],
}

const STYLE = `
.buttons { display: flex; align-items: center; gap: 2px; white-space: nowrap;
  font-family: var(--phenviz-font, system-ui, sans-serif); color: var(--panel-on-background-color, #222); }
button { min-width: 24px; height: 28px; padding: 0 4px; border: 1px solid transparent; border-radius: 5px;
  background: color-mix(in srgb, currentColor 7%, transparent); color: inherit; font: 500 12px/1 inherit;
  cursor: pointer; }
button:hover:not(:disabled) { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 20%, transparent); }
button:focus-visible { outline: 2px solid var(--panel-primary-color, #1a73e8); outline-offset: 1px; }
button:disabled { opacity: 0.35; cursor: default; }
button.large { font-size: 20px; min-width: 30px; padding-bottom: 3px; }
span.text { font-size: 11px; opacity: 0.7; padding: 0 2px; white-space: pre; }
span.gap { width: 4px; }
`

const KEYS = {
  ArrowLeft: {action: "move", amount: -0.1},
  ArrowRight: {action: "move", amount: 0.1},
  "+": {action: "zoom", amount: 1 / 1.5},
  "-": {action: "zoom", amount: 1.5},
}

// Keys move the view while nothing else listens to them: the tracks, or nothing at all, has the focus.
function on_keys(model) {
  const pressed = (event) => {
    const at = event.composedPath()[0]
    // a canvas that was clicked has the focus, inside of the tracks
    const tracks = event.composedPath().some((element) => element.getAttribute?.("role") === "application")
    const free = at === document.body || tracks
    if (!free || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return
    event.preventDefault()
    model.send_msg(KEYS[event.key])
  }
  document.addEventListener("keydown", pressed)
  model.on("remove", () => document.removeEventListener("keydown", pressed))
}

export function render({model}) {
  const root = document.createElement("div")
  root.className = "buttons"
  root.setAttribute("role", "toolbar")
  root.setAttribute("aria-label", model.group === "zoom" ? "Zoom and move" : "Views before and after")
  const style = document.createElement("style")
  style.textContent = STYLE
  root.append(style)
  const byId = {}
  for (const item of GROUPS[model.group]) {
    const element = document.createElement(item.action ? "button" : "span")
    if (item.action) {
      element.type = "button"
      element.textContent = item.label
      element.title = item.title
      element.setAttribute("aria-label", item.title)
      element.dataset.testid = item.id
      element.classList.toggle("large", model.group === "history")
      element.addEventListener("click", () => model.send_msg({action: item.action, amount: item.amount ?? 0}))
      byId[item.id] = element
    } else {
      element.className = item.gap ? "gap" : "text"
      element.textContent = item.text ?? ""
    }
    root.append(element)
  }
  const update = () => {
    if (byId.back) byId.back.disabled = !model.can_go_back
    if (byId.forward) byId.forward.disabled = !model.can_go_forward
  }
  model.on("can_go_back", update)
  model.on("can_go_forward", update)
  update()
  if (model.group === "zoom") {
    one_stop(Object.values(byId), ["ArrowLeft", "ArrowRight"])
    on_keys(model)
  }
  return root
}
