// Tables that can be sorted, and values under the mouse.
(function () {
  function valueOf(cell) {
    const shown = cell.textContent.trim();
    if (shown === "-" || shown === "") return null;
    const number = Number(shown.replaceAll(",", ""));
    return Number.isNaN(number) ? shown.toLowerCase() : number;
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0], original = [...body.rows];
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    heads.forEach((head, column) => {
      if (!head.classList.contains("sorter")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        for (const other of heads) other.removeAttribute("aria-sort");
        // Numbers from the largest first, names from A; a third click is the order of the classes.
        const first = column ? "descending" : "ascending";
        const second = column ? "ascending" : "descending";
        const now = before === first ? second : before === second ? null : first;
        if (now) head.setAttribute("aria-sort", now);
        const order = now
          ? rowOrder(original.map((row) => valueOf(row.cells[column])), now === "descending")
          : original.map((_, index) => index);
        body.append(...order.map((index) => original[index]));
      });
    });
  }

  const tip = document.getElementById("tip");
  function place(x, y) {
    const width = tip.offsetWidth, height = tip.offsetHeight;
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - width - 4)) + "px";
    tip.style.top = (y + 18 + height > innerHeight ? y - height - 10 : y + 18) + "px";
  }
  document.addEventListener("pointermove", (event) => {
    const over = event.target.closest ? event.target.closest("[data-tip]") : null;
    tip.hidden = !over;
    if (over) {
      tip.textContent = over.dataset.tip;
      place(event.clientX, event.clientY);
    }
  });
  document.addEventListener("scroll", () => { tip.hidden = true; }, true);
})();
