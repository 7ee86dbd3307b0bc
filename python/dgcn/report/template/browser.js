(function () {
  const images = JSON.parse(document.getElementById("images").textContent);
  const byId = (id) => document.getElementById(id);
  const form = byId("choice"), rows = byId("rows"), more = byId("more"), viewer = byId("viewer");
  if (!form) return;
  const PAGE = 24;
  let order = [], shown = 0, at = 0, layer = "";

  const choice = () => Object.fromEntries(new FormData(form));

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function percent(value) {
    return value === null ? "no score" : "IoU " + (100 * value).toFixed(1) + " %";
  }

  function note(image) {
    const chosen = choice();
    const of = chosen.label ? " (" + chosen.label + ")" : "";
    return percent(scoreOf(image, chosen)) + of;
  }

  // The image with one layer over it.
  function frame(image, panel, strength) {
    const box = element("div", { className: panel.heat ? "frame grey" : "frame" });
    box.style.aspectRatio = image.width + " / " + image.height;
    box.append(element("img", { src: image.uri, alt: "", decoding: "async" }));
    if (panel.uri) {
      const over = element("img", { src: panel.uri, decoding: "async",
        alt: panel.title + " of " + image.name });
      over.style.opacity = strength;
      box.append(over);
    } else {
      box.firstChild.alt = "image " + image.name;
    }
    return box;
  }

  function row(position) {
    const image = images[order[position]];
    const open = element("button", { type: "button", className: "row-open",
      textContent: image.name });
    open.dataset.position = position;
    open.addEventListener("click", () => show(position));
    const head = element("div", { className: "row-head" }, open,
      element("span", { className: "score", textContent: note(image) }),
      element("span", { className: "split", textContent: image.split }),
      element("span", { className: "quiet", textContent: image.labels.join(", ") || "no label" }));
    const strip = element("div", { className: "strip" });
    for (const panel of image.layers) {
      const figure = element("figure", {}, frame(image, panel, 1),
        element("figcaption", { textContent: panel.title }));
      figure.addEventListener("click", () => { layer = panel.title; show(position); });
      strip.append(figure);
    }
    return element("article", { className: "row" }, head, strip);
  }

  function extend() {
    const end = Math.min(shown + PAGE, order.length);
    for (; shown < end; shown++) rows.append(row(shown));
    more.hidden = shown >= order.length;
    more.textContent = "Show more (" + (order.length - shown) + " left)";
  }

  function restart() {
    order = orderOf(images, choice());
    shown = 0;
    rows.replaceChildren();
    byId("count").textContent = order.length === images.length
      ? order.length + " images." : order.length + " of " + images.length + " images.";
    extend();
  }

  function focusRow(position) {
    if (position < 0 || position >= order.length) return;
    while (shown <= position) extend();
    const open = rows.children[position].querySelector(".row-open");
    open.focus({ preventScroll: true });
    rows.children[position].scrollIntoView({ block: "nearest" });
  }

  function show(position) {
    if (position < 0 || position >= order.length) return;
    at = position;
    const image = images[order[at]];
    const titles = image.layers.map((panel) => panel.title);
    if (!titles.includes(layer)) {
      layer = titles.find((title) => title.startsWith("prediction")) || titles[0];
    }
    const panel = image.layers[titles.indexOf(layer)];
    const box = frame(image, panel, byId("viewer-strength").value / 100);
    // As large as the window lets it be, below the controls.
    box.style.width = "min(96vw - 2.4rem, 940px, 58vh * " + image.width / image.height + ")";
    byId("viewer-stage").replaceChildren(box);
    byId("viewer-name").textContent = image.name;
    byId("viewer-note").textContent = layer + "; " + note(image) + "; " + image.split + "; " +
      (image.labels.join(", ") || "no label") + "; " + (at + 1) + " of " + order.length;
    byId("viewer-panels").replaceChildren(...titles.map((title) => {
      const chip = element("button", { type: "button", textContent: title });
      chip.setAttribute("aria-pressed", title === layer);
      chip.addEventListener("click", () => {
        layer = title;
        show(at);
        byId("viewer-panels").children[titles.indexOf(title)].focus();
      });
      return chip;
    }));
    byId("viewer-back").disabled = at === 0;
    byId("viewer-on").disabled = at === order.length - 1;
    if (!viewer.open) viewer.showModal();
  }

  function turn(step) {
    const titles = images[order[at]].layers.map((panel) => panel.title);
    layer = titles[(titles.indexOf(layer) + step + titles.length) % titles.length];
    show(at);
  }

  viewer.addEventListener("keydown", (event) => {
    if (event.target.type === "range") return;
    const moves = { ArrowLeft: () => show(at - 1), ArrowRight: () => show(at + 1),
      ArrowUp: () => turn(-1), ArrowDown: () => turn(1) };
    if (moves[event.key]) {
      event.preventDefault();
      moves[event.key]();
      // The chips are made anew: keep the keyboard in the dialog.
      if (!viewer.contains(document.activeElement)) byId("viewer-close").focus();
    }
  });
  viewer.addEventListener("close", () => focusRow(at));
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  byId("viewer-close").addEventListener("click", () => viewer.close());
  byId("viewer-back").addEventListener("click", () => show(at - 1));
  byId("viewer-on").addEventListener("click", () => show(at + 1));
  byId("viewer-strength").addEventListener("input", () => show(at));

  rows.addEventListener("keydown", (event) => {
    const from = Number(event.target.dataset.position);
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1,
      Home: -from, End: order.length - 1 - from };
    if (event.key in steps) {
      event.preventDefault();
      focusRow(from + steps[event.key]);
    }
  });
  form.addEventListener("input", restart);
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => { const from = shown; extend(); focusRow(from); });
  restart();
})();
