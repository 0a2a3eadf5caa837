// Rows of a table or a list: a click, Enter or Space presses one. One of them is a tab stop; arrows, Home and End move it.
function pressable(rows, press, stop) {
  const moveStop = (row) => rows.forEach((other) => { other.tabIndex = other === row ? 0 : -1 })
  rows.forEach((row, number) => {
    const goals = {ArrowUp: rows[number - 1], ArrowDown: rows[number + 1], Home: rows[0], End: rows.at(-1)}
    row.addEventListener("click", () => press(number))
    row.addEventListener("focus", () => moveStop(row))
    row.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") press(number)
      else if (event.key in goals) goals[event.key]?.focus()
      else return
      event.preventDefault()
    })
  })
  moveStop(stop ?? rows[0])
}
