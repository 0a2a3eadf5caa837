// What was wrong with a locus, over the tracks (nothing moves), with names to click instead.
const STYLE = `
.card { position: absolute; top: 4px; left: 6px; z-index: 20; width: 380px; padding: 10px 12px; border-radius: 8px;
  font: 13px/1.45 var(--phenviz-font, system-ui, sans-serif);
  background: var(--panel-surface-color, #fff); color: var(--panel-on-surface-color, #222);
  border: 1px solid #d9534f; box-shadow: 0 6px 24px rgba(0, 0, 0, 0.22); }
.card[hidden] { display: none; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 8px; }
.chips:empty { display: none; }
.chips button { padding: 3px 10px; border-radius: 12px; border: 1px solid var(--panel-primary-color, #1a73e8);
  background: transparent; color: var(--panel-primary-color, #1a73e8); font: inherit; cursor: pointer; }
.chips button:hover { background: color-mix(in srgb, var(--panel-primary-color, #1a73e8) 14%, transparent); }
.close { position: absolute; top: 2px; right: 4px; border: none; background: none; color: inherit; font-size: 16px;
  cursor: pointer; opacity: 0.6; }
.words { padding-right: 14px; overflow-wrap: anywhere; }
`

export function render({model}) {
  const holder = document.createElement("div")
  holder.style.position = "relative"
  const style = document.createElement("style")
  style.textContent = STYLE
  const card = document.createElement("div")
  card.className = "card"
  card.setAttribute("role", "alert")
  card.dataset.testid = "locus-message"
  const words = document.createElement("div")
  words.className = "words"
  const chips = document.createElement("div")
  chips.className = "chips"
  const close = document.createElement("button")
  close.className = "close"
  close.textContent = "×"
  close.setAttribute("aria-label", "Close this message")
  close.addEventListener("click", () => model.send_msg({action: "close"}))
  card.append(close, words, chips)
  holder.append(style, card)
  const update = () => {
    card.hidden = !model.message
    words.textContent = model.message
    chips.replaceChildren(...model.suggestions.map((name) => {
      const chip = document.createElement("button")
      chip.type = "button"
      chip.textContent = name
      chip.dataset.testid = "suggestion"
      chip.addEventListener("click", () => model.send_msg({action: "pick", name}))
      return chip
    }))
  }
  model.on("message", update)
  model.on("suggestions", update)
  update()
  return holder
}
