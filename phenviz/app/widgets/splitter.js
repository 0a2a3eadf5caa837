// The border between the tracks and what stands below: dragged, or moved by arrow keys; a double click takes it back.
// How high the lower part is stays in the browser: no figure waits for the server to be laid out anew.
const STYLE = `
.split { height: 9px; margin: -4px 0; position: relative; z-index: 5; cursor: row-resize; touch-action: none; }
.split::after { content: ""; position: absolute; inset: 3px calc(50% - 20px); border-radius: 2px;
  background: color-mix(in srgb, currentColor 28%, transparent); }
.split:hover::after, .split:focus-visible::after { background: var(--panel-primary-color); }
.split:focus-visible { outline: 2px solid var(--panel-primary-color); outline-offset: -3px; }
`
const LEAST = 80, LEAST_ABOVE = 320, STEP = 24

export function render({model, el}) {
  const key = `phenviz-split-${model.key}`
  const bar = Object.assign(document.createElement("div"), {className: "split", tabIndex: 0})
  for (const [name, value] of Object.entries({role: "separator", "aria-orientation": "horizontal", "aria-label": model.label,
    "data-testid": "split", title: "Drag, or press the up and down arrows; a double click takes it back"})) {
    bar.setAttribute(name, value)
  }
  const host = () => el.getRootNode().host
  const around = () => host().getRootNode().host
  const lower = () => host().nextElementSibling
  const tell = () => bar.setAttribute("aria-valuenow", Math.round(lower()?.offsetHeight ?? 0))
  const set = (height) => {
    const most = Math.max(window.innerHeight - LEAST_ABOVE, LEAST)
    const pixels = Math.round(Math.min(Math.max(height, LEAST), most))
    around().style.setProperty("--lower-height", `${pixels}px`)
    sessionStorage.setItem(key, pixels)
    tell()
  }
  const reset = () => {
    around().style.removeProperty("--lower-height")
    sessionStorage.removeItem(key)
    tell()
  }
  bar.addEventListener("pointerdown", (down) => {
    bar.setPointerCapture(down.pointerId)
    const before = lower().offsetHeight
    const move = (event) => set(before + down.clientY - event.clientY)
    bar.addEventListener("pointermove", move)
    bar.addEventListener("lostpointercapture", () => bar.removeEventListener("pointermove", move), {once: true})
  })
  bar.addEventListener("keydown", (event) => {
    const goals = {ArrowUp: lower().offsetHeight + STEP, ArrowDown: lower().offsetHeight - STEP, Home: 0, End: 1e6}
    if (!(event.key in goals)) return
    event.preventDefault()
    set(goals[event.key])
  })
  bar.addEventListener("dblclick", reset)
  bar.addEventListener("focus", tell)
  model.on("after_render", () => {
    const kept = Number(sessionStorage.getItem(key))
    if (kept) around().style.setProperty("--lower-height", `${kept}px`)
    tell()
  })
  const root = document.createElement("div")
  root.append(Object.assign(document.createElement("style"), {textContent: STYLE}), bar)
  return root
}
