// What Tab stops at: links past the controls first, and no canvas.
function deep_all(root, selector) {
  const inside = [...root.querySelectorAll("*")].flatMap((element) =>
    element.shadowRoot ? deep_all(element.shadowRoot, selector) : [])
  return [...root.querySelectorAll(selector), ...inside]
}

// Past some 30 controls to where one says what to look at, and to what there is to see; seen only while they have the focus.
const SKIPS = {
  "the locus": "[data-testid=locus]",
  "the traits": "[data-testid=disease-find]",
  "the tracks": "[role=application]",
  "the table": "[role=grid] tbody tr[tabindex='0']",
}

function skip_links() {
  const place_of = (selector) => deep_all(document, selector).find((element) => element.checkVisibility())
  const links = Object.entries(SKIPS).map(([name, selector]) => {
    const link = document.createElement("a")
    link.href = "#"
    link.textContent = `Skip to ${name}`
    link.style.cssText = `position: fixed; z-index: 9999; left: 8px; top: -60px; padding: 10px 16px; border-radius: 6px;
      background: #1f5f8b; color: #fff; font: 600 14px system-ui, sans-serif;`
    link.addEventListener("focus", () => { link.style.top = "6px" })
    link.addEventListener("blur", () => { link.style.top = "-60px" })
    link.addEventListener("click", (event) => {
      event.preventDefault()
      place_of(selector)?.focus()
    })
    return {link, selector}
  })
  document.body.prepend(...links.map(({link}) => link))
  // no page has all of these places, and some come later
  const offer = () => links.forEach(({link, selector}) => { link.hidden = !place_of(selector) })
  document.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && (document.activeElement === document.body || links.some(({link}) => link === document.activeElement))) offer()
  })
  offer()
}

// Bokeh makes each canvas a stop of Tab that has no name: the pane around it has one, and a table of the same numbers.
function unstop_canvases(bokeh_document) {
  const {prototype} = Bokeh.Models.get("Canvas").prototype.default_view
  const {initialize} = prototype
  if (!prototype.unstopped) {
    prototype.unstopped = true
    prototype.initialize = function () {
      initialize.call(this)
      this.events_el.tabIndex = -1
    }
  }
  const unstop = () => deep_all(document, ".bk-events[tabindex='0']").forEach((canvas) => { canvas.tabIndex = -1 })
  unstop()
  bokeh_document.idle.connect(unstop)
}
