// The clipboard is open to the page only in answer to a click, so this runs in the browser alone.
const STYLE = `
button { display: flex; align-items: center; gap: 6px; height: 32px; padding: 0 12px; border-radius: 6px;
  border: 1px solid color-mix(in srgb, currentColor 30%, transparent); background: none; color: inherit;
  font: 500 13px/1 var(--phenviz-font, system-ui, sans-serif); cursor: pointer; white-space: nowrap; }
button:hover { background: color-mix(in srgb, currentColor 8%, transparent); }
`

async function copy(text) {
  if (navigator.clipboard) {
    try { return await navigator.clipboard.writeText(text) } catch { /* not allowed: the old way below */ }
  }
  const area = Object.assign(document.createElement("textarea"), {value: text})
  document.body.append(area)
  area.select()
  document.execCommand("copy")
  area.remove()
}

export function render() {
  const style = Object.assign(document.createElement("style"), {textContent: STYLE})
  const button = Object.assign(document.createElement("button"), {type: "button", textContent: "Share"})
  button.title = "Copy the address of this view"
  button.dataset.testid = "share"
  button.addEventListener("click", async () => {
    await copy(window.location.href)
    button.textContent = "Address copied"
    setTimeout(() => { button.textContent = "Share" }, 2_000)
  })
  const root = document.createElement("div")
  root.append(style, button)
  return root
}
