// Files come in pieces; the last one makes the browser save them. Tells whether the window is narrow, and which
// address Back and Forward lead to.
const KEPT = "phenviz-tab"

// Lives as long as the tab, over reloads: the server keeps the tab's jobs under it.
function tab_name() {
  let name = sessionStorage.getItem(KEPT)
  if (!name) {
    name = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("")
    sessionStorage.setItem(KEPT, name)
  }
  return name
}

export function render({model}) {
  skip_links()
  unstop_canvases(Bokeh.documents[0])
  const narrow = window.matchMedia(model.narrow_query)
  const tell = () => model.send_msg({narrow: narrow.matches})
  narrow.addEventListener("change", tell)
  model.on("remove", () => narrow.removeEventListener("change", tell))
  tell()
  model.send_msg({tab: tab_name(), place: location.origin + location.pathname})
  let written = location.search
  const returned = () => {
    if (location.search === written) return  // a jump within the page
    written = location.search
    model.send_msg({address: written})
  }
  window.addEventListener("popstate", returned)
  model.on("remove", () => window.removeEventListener("popstate", returned))
  const write = ({address, jump}) => {
    written = address
    if (address === location.search) return
    const url = location.pathname + address + location.hash
    if (jump) history.pushState({}, "", url)
    else history.replaceState(history.state, "", url)
    written = location.search
  }
  let pieces = []
  model.on("msg:custom", (event) => {
    const message = event.data ?? event
    if (message.address !== undefined) return write(message)
    if (message.filename === undefined) return
    if (message.number === 0) pieces = []
    pieces.push(Uint8Array.from(atob(message.piece), (character) => character.charCodeAt(0)))
    if (!message.last) return
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob(pieces, {type: message.mime}))
    link.download = message.filename
    pieces = []
    document.body.append(link)
    link.click()
    link.remove()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  })
  return connection_notice(Bokeh.documents[0])
}
