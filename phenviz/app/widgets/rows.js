// Of elements in a row one is a stop of Tab; arrows, Home and End move it. Returns what makes another one the stop.
function one_stop(elements, [backward, forward], stop) {
  const move = (here) => elements.forEach((other) => { other.tabIndex = other === here ? 0 : -1 })
  elements.forEach((element) => {
    element.addEventListener("focus", () => move(element))
    element.addEventListener("keydown", (event) => step(elements, element, event, [backward, forward]))
  })
  move(stop ?? elements[0])
  return move
}

// The same of elements inside another one that come and go: call what is returned whenever they have.
function one_stop_in(root, selector, keys) {
  const elements = () => [...root.querySelectorAll(selector)]
  const move = (here) => elements().forEach((other) => { other.tabIndex = other === here ? 0 : -1 })
  root.addEventListener("focusin", (event) => { if (event.target.matches(selector)) move(event.target) })
  root.addEventListener("keydown", (event) => {
    if (event.target.matches(selector)) step(elements(), event.target, event, keys)
  })
  return () => {
    const seen = elements().filter((element) => !element.closest("[hidden]"))
    move(seen.find((element) => element.getAttribute("tabindex") === "0") ?? seen[0])
  }
}

function step(elements, here, event, [backward, forward]) {
  if (![backward, forward, "Home", "End"].includes(event.key)) return
  event.preventDefault()
  const seen = elements.filter((other) => other.checkVisibility())
  const at = seen.indexOf(here)
  const goals = {[backward]: seen[at - 1], [forward]: seen[at + 1], Home: seen[0], End: seen.at(-1)}
  goals[event.key]?.focus()
}

// Rows of a table or a list: a click, Enter or Space presses one.
function pressable(rows, press, stop) {
  rows.forEach((row, number) => {
    row.addEventListener("click", () => press(number))
    row.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return
      event.preventDefault()
      press(number)
    })
  })
  one_stop(rows, ["ArrowUp", "ArrowDown"], stop)
}
