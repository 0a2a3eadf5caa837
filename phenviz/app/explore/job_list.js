// Runs of this session, newest first.
const STYLE = `
.jobs { font: 12px/1.4 var(--phenviz-font, system-ui, sans-serif); color: var(--panel-on-background-color, #222); }
h3 { margin: 10px 0 4px; font: 600 12px/1.4 inherit; font-size: 12px; opacity: 0.75; }
button { display: block; width: 100%; text-align: left; padding: 6px 8px; margin: 0 0 4px; border-radius: 6px;
  border: 1px solid color-mix(in srgb, currentColor 16%, transparent); background: none; color: inherit; font: inherit;
  cursor: pointer; }
button:hover { background: color-mix(in srgb, currentColor 6%, transparent); }
button.current { border-color: var(--panel-primary-color, #1a73e8); }
.top { display: flex; gap: 6px; align-items: baseline; }
.title { flex: 1; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.detail { opacity: 0.72; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.state { white-space: nowrap; opacity: 0.85; }
.failed .state { color: var(--phenviz-bad); } .done .state { color: var(--phenviz-good); }
.cancelled .state { color: var(--phenviz-warn); }
`
const WORDS = {queued: "waiting", done: "done", failed: "failed", cancelled: "cancelled"}

export function render({model}) {
  const root = document.createElement("div")
  root.className = "jobs"
  root.dataset.testid = "jobs"
  const span = (name, text) => Object.assign(document.createElement("span"), {className: name, textContent: text})
  const update = () => {
    const style = Object.assign(document.createElement("style"), {textContent: STYLE})
    const heading = Object.assign(document.createElement("h3"), {textContent: `Runs of this session (${model.rows.length})`})
    const rows = model.rows.map((row) => {
      const button = document.createElement("button")
      button.type = "button"
      button.className = `${row.state} ${row.current ? "current" : ""}`
      button.title = "Show this run again"
      const words = WORDS[row.state] ?? `${Math.round(100 * row.progress)} %`
      const top = Object.assign(document.createElement("div"), {className: "top"})
      top.append(span("title", row.title), span("state", words))
      const detail = Object.assign(document.createElement("div"), {className: "detail", textContent: row.detail})
      button.append(top, detail)
      button.addEventListener("click", () => model.send_msg({id: row.id}))
      return button
    })
    root.replaceChildren(style, ...(rows.length ? [heading, ...rows] : []))
  }
  model.on("rows", update)
  update()
  return root
}
