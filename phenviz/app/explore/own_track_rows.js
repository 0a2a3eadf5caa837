// Tracks of the user's own, from top to bottom: each can be moved and removed. Which there were stays in the browser, as
// long as its tab: a server that was started anew has none of them, and is told so.
const STYLE = `
.rows { font: 13px/1.3 var(--phenviz-font, system-ui, sans-serif); color: var(--panel-on-background-color, #222); }
.row { display: flex; align-items: center; gap: 2px; min-height: 28px; }
.row span { flex: 1; min-width: 0; overflow-wrap: anywhere; }
button { flex: none; width: 24px; height: 24px; padding: 0; border: none; border-radius: 5px; background: none; color: inherit;
  font: inherit; cursor: pointer; }
button:hover:not(:disabled) { background: color-mix(in srgb, currentColor 10%, transparent); }
button:focus-visible { outline: 2px solid var(--panel-primary-color, #1a73e8); }
button:disabled { opacity: 0.35; cursor: default; }
`
const KEPT = "phenviz-own-tracks"

export function render({model}) {
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties)
    element.append(...children)
    return element
  }
  const list = make("div", {className: "rows"})
  const update = () => {
    const held = list.getRootNode().activeElement?.title
    const last = model.rows.length - 1
    list.replaceChildren(...model.rows.map(([name, label], number) => {
      const button = (text, title, message, disabled = false) => {
        const pressed = make("button", {type: "button", textContent: text, title, disabled})
        pressed.setAttribute("aria-label", title)
        pressed.addEventListener("click", () => model.send_msg(message))
        return pressed
      }
      return make("div", {className: "row"}, make("span", {textContent: label}),
        button("↑", `Move ${label} up`, {move: name, by: -1}, number === 0),
        button("↓", `Move ${label} down`, {move: name, by: 1}, number === last),
        button("×", `Remove ${label}`, {remove: name}))
    }))
    const again = [...list.querySelectorAll("button")].find((button) => button.title === held)
    const enabled = again?.disabled ? [...again.parentNode.querySelectorAll("button:enabled")][0] : again
    enabled?.focus()
    if (model.compared) sessionStorage.setItem(KEPT, JSON.stringify(model.rows.map(([, label]) => label)))
  }
  model.on("rows", update)
  model.on("compared", update)
  update()
  model.send_msg({kept: JSON.parse(sessionStorage.getItem(KEPT) ?? "[]")})
  return make("div", {}, make("style", {textContent: STYLE}), list)
}
