// A text box that completes gene names; Enter or a click on a name asks Python to go there.
const STYLE = `
.box { position: relative; font: 13px/1.4 var(--phenviz-font, system-ui, sans-serif);
  color: var(--panel-on-background-color, #222); }
input { width: 100%; height: 32px; box-sizing: border-box; padding: 0 10px; border-radius: 6px; font: inherit;
  font-size: 14px; font-variant-numeric: tabular-nums; color: inherit; background: transparent;
  border: 1px solid color-mix(in srgb, currentColor 30%, transparent); }
input:focus { outline: 2px solid var(--panel-primary-color, #1a73e8); outline-offset: -1px; }
input.wrong { border-color: var(--phenviz-bad, #b3261e); outline-color: var(--phenviz-bad, #b3261e); }
.pop { position: absolute; top: 36px; left: 0; right: 0; z-index: 40; padding: 4px; border-radius: 8px;
  background: var(--panel-surface-color, #fff); color: var(--panel-on-surface-color, #222);
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent); box-shadow: 0 6px 24px rgba(0, 0, 0, 0.22); }
.pop[hidden] { display: none; }
.option { padding: 4px 8px; border-radius: 5px; cursor: pointer; font-style: italic; }
.option.active, .option:hover { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 16%, transparent); }
.message { padding: 6px 22px 6px 8px; overflow-wrap: anywhere; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; padding: 0 8px 6px; }
.chips:empty { display: none; }
.chips button { padding: 2px 10px; border-radius: 12px; font: inherit; font-style: italic; cursor: pointer;
  background: transparent; border: 1px solid var(--panel-primary-color, #1a73e8);
  color: var(--panel-primary-color, #1a73e8); }
.close { position: absolute; top: 2px; right: 6px; border: none; background: none; color: inherit; font-size: 16px;
  cursor: pointer; opacity: 0.6; }
`
const MOST = 8

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

export function render({model}) {
  const input = make("input", {type: "text", spellcheck: false, autocomplete: "off", placeholder: model.placeholder})
  input.setAttribute("role", "combobox")
  input.setAttribute("aria-label", model.label)
  input.setAttribute("aria-autocomplete", "list")
  input.setAttribute("aria-expanded", "false")
  input.setAttribute("aria-controls", `${model.testid}-options`)
  input.dataset.testid = model.testid
  const list = make("div", {className: "pop", hidden: true, id: `${model.testid}-options`})
  list.setAttribute("role", "listbox")
  list.setAttribute("aria-label", model.label)
  const words = make("div", {className: "message"})
  const chips = make("div", {className: "chips"})
  const close = make("button", {className: "close", type: "button", textContent: "×"})
  close.setAttribute("aria-label", "Close this message")
  const card = make("div", {className: "pop", hidden: true}, close, words, chips)
  card.setAttribute("role", "alert")
  card.dataset.testid = `${model.testid}-message`
  let active = -1

  const open = (shown) => {
    list.hidden = !shown
    input.setAttribute("aria-expanded", String(shown))
    input.removeAttribute("aria-activedescendant")
  }
  const restore = () => {
    input.value = model.value
    open(false)
    card.hidden = true
    input.classList.remove("wrong")
  }
  const ask = (text) => {
    if (!text.trim()) return restore()
    open(false)
    model.send_msg({text: text.trim()})
  }
  const matches = (text) => {
    const typed = text.trim().toUpperCase()
    if (typed.length < 1 || typed.includes(":")) return []
    const begins = model.names.filter((name) => name.toUpperCase().startsWith(typed))
    const holds = model.names.filter((name) => name.toUpperCase().indexOf(typed) > 0)
    return [...begins.sort((a, b) => a.length - b.length), ...holds].slice(0, MOST)
  }
  const offer = () => {
    active = -1
    card.hidden = true
    input.classList.remove("wrong")
    list.replaceChildren(...matches(input.value).map((name, number) => {
      const option = make("div", {className: "option", textContent: name, id: `${list.id}-${number}`})
      option.setAttribute("role", "option")
      option.setAttribute("aria-selected", "false")
      option.addEventListener("pointerdown", (event) => { event.preventDefault(); input.value = name; ask(name) })
      return option
    }))
    open(list.children.length > 0)
  }
  const choose = (step) => {
    const options = [...list.children]
    if (list.hidden || !options.length) return
    active = (active + step + options.length) % options.length
    options.forEach((option, number) => {
      option.classList.toggle("active", number === active)
      option.setAttribute("aria-selected", String(number === active))
    })
    input.setAttribute("aria-activedescendant", options[active].id)
  }
  input.addEventListener("input", offer)
  input.addEventListener("focus", () => input.select())
  input.addEventListener("blur", () => open(false))
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      if (active >= 0 && !list.hidden) input.value = list.children[active].textContent
      ask(input.value)
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault()
      choose(event.key === "ArrowDown" ? 1 : -1)
    }
  })
  close.addEventListener("click", () => model.send_msg({dismiss: true}))
  const showValue = () => { input.value = model.value }
  const showMessage = () => {
    card.hidden = !model.message
    input.classList.toggle("wrong", Boolean(model.message))
    words.textContent = model.message
    chips.replaceChildren(...model.suggestions.map((name) => {
      const chip = make("button", {type: "button", textContent: name})
      chip.dataset.testid = "suggestion"
      chip.addEventListener("click", () => ask(name))
      return chip
    }))
  }
  model.on("value", showValue)
  // counts up whenever Python answers, also where the text it shows stays the same
  model.on("answered", () => { showValue(); showMessage() })
  model.on("message", showMessage)
  model.on("suggestions", showMessage)
  showValue()
  showMessage()
  const box = make("div", {className: "box"}, make("style", {textContent: STYLE}), input, list, card)
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return
    restore()
    input.focus()
  })
  return box
}
