// Files come in pieces; the last one makes the browser save them. Tells whether the window is narrow.
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
  const narrow = window.matchMedia(model.narrow_query)
  const tell = () => model.send_msg({narrow: narrow.matches})
  narrow.addEventListener("change", tell)
  model.on("remove", () => narrow.removeEventListener("change", tell))
  tell()
  model.send_msg({tab: tab_name()})
  let pieces = []
  model.on("msg:custom", (event) => {
    const message = event.data ?? event
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
  return document.createElement("span")
}
