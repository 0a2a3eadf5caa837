// A drop zone: the file goes to this machine's server in pieces, the next one when the last has been taken.
const STYLE = `
.zone { font: 13px/1.4 var(--phenviz-font, system-ui, sans-serif); color: var(--panel-on-background-color, #222);
  display: flex; flex-direction: column; gap: 6px; position: relative; }
.drop { border: 1.5px dashed color-mix(in srgb, currentColor 35%, transparent); border-radius: 8px; padding: 12px 10px; text-align: center;
  font-size: 12px; cursor: pointer; display: block; }
.drop:hover, .drop.over { border-color: var(--panel-primary-color, #1a73e8);
  background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 7%, transparent); }
.drop input { position: absolute; width: 1px; height: 1px; opacity: 0; }
.drop:focus-within { outline: 2px solid var(--panel-primary-color, #1a73e8); }
.note { font-size: 12px; overflow-wrap: anywhere; }
.note.failed { color: var(--phenviz-bad, #b3261e); }
progress { width: 100%; height: 5px; accent-color: var(--panel-primary-color, #1a73e8); }
`
const PIECE = 3 * 2 ** 20

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

async function base64(blob) {
  const address = await new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => resolve(reader.result)
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(blob)
  })
  return address.slice(address.indexOf(",") + 1)
}

export function render({model}) {
  const file = make("input", {type: "file", accept: model.suffixes})
  file.dataset.testid = "vcf-file"
  const drop = make("label", {className: "drop"}, file,
    make("b", {textContent: model.title}), make("br"), model.hint)
  const bar = make("progress", {max: 1, value: 0, hidden: true})
  const note = make("div", {className: "note"})
  note.dataset.testid = "vcf-note"

  const taken = () => new Promise((resolve) => {
    const before = model.answered
    const check = () => { if (model.answered !== before) { model.off?.("answered", check); resolve() } }
    model.on("answered", check)
  })
  const upload = async (chosen) => {
    bar.hidden = false
    bar.value = 0
    let ready = taken()
    model.send_msg({begin: chosen.name, size: chosen.size})
    await ready
    for (let number = 0; number * PIECE < chosen.size && !model.failed; number += 1) {
      const content = await base64(chosen.slice(number * PIECE, (number + 1) * PIECE))
      ready = taken()
      model.send_msg({piece: content, name: chosen.name, number})
      await ready
      bar.value = Math.min(1, (number + 1) * PIECE / chosen.size)
    }
    bar.hidden = true
    file.value = ""
  }
  file.addEventListener("change", () => { if (file.files.length) upload(file.files[0]) })
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => {
    event.preventDefault()
    drop.classList.add("over")
  })
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"))
  drop.addEventListener("drop", (event) => {
    event.preventDefault()
    if (event.dataTransfer.files.length) upload(event.dataTransfer.files[0])
  })

  const update = () => {
    note.textContent = model.note
    note.className = model.failed ? "note failed" : "note"
    note.hidden = !model.note
  }
  model.on("note", update)
  model.on("failed", update)
  update()
  return make("div", {}, make("style", {textContent: STYLE}), make("div", {className: "zone"}, drop, bar, note))
}
