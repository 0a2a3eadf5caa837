// Of elements in a row one is a stop of Tab; arrows, Home and End move it. Returns what makes another one the stop.
function one_stop(elements, [backward, forward], stop) {
  const move = (here) => elements.forEach((other) => { other.tabIndex = other === here ? 0 : -1 })
  elements.forEach((element) => {
    element.addEventListener("focus", () => move(element))
    element.addEventListener("keydown", (event) => {
      const seen = elements.filter((other) => other.checkVisibility())
      const here = seen.indexOf(element)
      const goals = {[backward]: seen[here - 1], [forward]: seen[here + 1], Home: seen[0], End: seen.at(-1)}
      if (!(event.key in goals)) return
      event.preventDefault()
      goals[event.key]?.focus()
    })
  })
  move(stop ?? elements[0])
  return move
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
