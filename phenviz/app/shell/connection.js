// Says over the whole page that it has lost the server: a page that looks alive but isn't is worse than none. It isn't
// connected again, as what changed meanwhile would be missing on it: its address holds the view, and the tab's name its
// jobs, so that reloading it loses nothing.
const LOOK_MS = 3_000
const SILENT = "PhenViz doesn't answer. What is on screen is as it was last, and no longer changes."
const THERE = "PhenViz answers again, but this page has lost its place there. Reload it to go on: its address holds the view."
// asked for to see whether there is anybody
const FILE = "static/extensions/panel/images/favicon.ico"

const LOST_CSS = `
dialog { max-width: 420px; padding: 20px 24px; border-radius: 8px; line-height: 1.5; font-size: 14px;
  font-family: var(--phenviz-font, system-ui, sans-serif); color: var(--panel-on-background-color, #222);
  background: var(--panel-background-color, #fff); border: 1px solid color-mix(in srgb, currentColor 40%, transparent); }
dialog::backdrop { background: #0008; }
h2 { margin: 0; font-size: 17px; }
button { font: inherit; font-weight: 600; padding: 6px 16px; border-radius: 6px; cursor: pointer; color: inherit;
  background: transparent; border: 1px solid currentColor; }
button:focus-visible { outline: 2px solid var(--panel-primary-color); outline-offset: 2px; }
`

function connection_notice(bokeh_document) {
  const notice = document.createElement("div")
  notice.innerHTML = `<style>${LOST_CSS}</style><dialog aria-labelledby="lost" data-testid="lost">
    <h2 id="lost">Connection lost</h2><p role="status"></p><button>Reload</button></dialog>`
  const dialog = notice.querySelector("dialog")
  const say = (words) => { dialog.querySelector("p").textContent = words }
  dialog.querySelector("button").addEventListener("click", () => location.reload())
  // Escape would lead back to a page that doesn't listen
  dialog.addEventListener("cancel", (event) => event.preventDefault())

  let leaving = false
  window.addEventListener("beforeunload", () => { leaving = true; setTimeout(() => { leaving = false }, LOOK_MS) })
  const look = async () => {
    try {
      await fetch(FILE, {cache: "no-store"})
      say(THERE)
    } catch {
      setTimeout(look, LOOK_MS)
    }
  }
  bokeh_document.on_event("connection_lost", () => {
    if (leaving || dialog.open) return
    say(SILENT)
    dialog.showModal()
    look()
  })
  return notice
}
