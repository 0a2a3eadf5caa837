// Files come in pieces; the last one makes the browser save them. Tells whether the window is narrow.
export function render({model}) {
  const narrow = window.matchMedia(model.narrow_query)
  const tell = () => model.send_msg({narrow: narrow.matches})
  narrow.addEventListener("change", tell)
  model.on("remove", () => narrow.removeEventListener("change", tell))
  tell()
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
