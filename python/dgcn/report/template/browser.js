(function () {
  const images = JSON.parse(document.getElementById("images").textContent);
  const byId = (id) => document.getElementById(id);
  const form = byId("choice"), rows = byId("rows"), more = byId("more"), viewer = byId("viewer");
  if (!form) return;
  const PAGE = 24;
  const WHOLE = { scale: 1, x: 0, y: 0 };
  let order = [], shown = 0, at = 0, layer = "", view = WHOLE;

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
    const chosen = choice(), parts = [];
    const of = chosen.label ? " (" + chosen.label + ")" : "";
    const found = image.agreement[chosen.training];
    if (image.scores[chosen.training]) {
      parts.push(percent(scoreOf(image, { ...chosen, sort: "worst" })) + of);
    }
    const agreed = scoreOf(image, { ...chosen, sort: "disagree" });
    if (agreed !== null && (chosen.sort === "disagree" || !parts.length)) {
      parts.push("agreement " + (100 * agreed).toFixed(1) + " %" + of);
    }
    if (found && found.extra.length) parts.push("not a label: " + found.extra.join(", "));
    if (found && found.missing.length) parts.push("not predicted: " + found.missing.join(", "));
    return parts.join("; ") || "no score";
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
    const figures = image.layers.map((panel) => {
      const figure = element("figure", {}, frame(image, panel, 1),
        element("figcaption", { textContent: panel.title }));
      figure.addEventListener("click", () => { layer = panel.title; show(position); });
      return figure;
    });
    // Predictions and the ground truth stay in one line, whatever the width.
    const last = image.layers.map((panel) => panel.role).filter((role) => role === "prediction" ||
      role === "truth").length;
    const pair = element("div", { className: "pair" }, ...figures.splice(figures.length - last));
    pair.style.setProperty("--count", last);
    pair.style.gridColumn = "span " + Math.min(last, 2);
    strip.append(...figures, ...(last ? [pair] : []));
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
    const truth = image.layers.find((each) => each.role === "truth");
    byId("viewer-beside-label").hidden = !truth;
    const panels = truth && truth !== panel && byId("viewer-beside").checked
      ? [panel, truth] : [panel];
    const boxes = panels.map((each) => {
      const box = frame(image, each, byId("viewer-strength").value / 100);
      // As large as the window lets it be, below the controls.
      box.style.width = "min((96vw - 2.4rem) / " + panels.length + " - .3rem, 1240px / " +
        panels.length + ", 58vh * " + image.width / image.height + ")";
      return element("figure", {}, box, element("figcaption", { textContent: each.title }));
    });
    byId("viewer-stage").replaceChildren(...boxes);
    look(view);
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

  // Show a part of the picture, the same one in every frame.
  function look(at) {
    view = at;
    const stage = byId("viewer-stage");
    stage.style.setProperty("--scale", view.scale);
    stage.style.setProperty("--x", 100 * view.x + "%");
    stage.style.setProperty("--y", 100 * view.y + "%");
    stage.classList.toggle("near", view.scale > 1);
    byId("viewer-whole").textContent = Math.round(100 * view.scale) + " %";
  }

  // Where a pointer is within a frame, from 0 to 1; null: beside the frames.
  function placeIn(event) {
    const box = event.target.closest(".frame");
    if (!box) return null;
    const area = box.getBoundingClientRect();
    return { x: (event.clientX - area.left) / area.width,
      y: (event.clientY - area.top) / area.height, area };
  }

  function step(position) {
    view = WHOLE;
    show(position);
  }

  function turn(step) {
    const titles = images[order[at]].layers.map((panel) => panel.title);
    layer = titles[(titles.indexOf(layer) + step + titles.length) % titles.length];
    show(at);
  }

  viewer.addEventListener("keydown", (event) => {
    if (event.target.type === "range") return;
    const moves = { ArrowLeft: () => step(at - 1), ArrowRight: () => step(at + 1),
      ArrowUp: () => turn(-1), ArrowDown: () => turn(1),
      "+": () => look(zoomed(view, 1.5, 0.5, 0.5)), "=": () => look(zoomed(view, 1.5, 0.5, 0.5)),
      "-": () => look(zoomed(view, 1 / 1.5, 0.5, 0.5)), 0: () => look(WHOLE) };
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
  viewer.addEventListener("close", () => { view = WHOLE; });
  byId("viewer-back").addEventListener("click", () => step(at - 1));
  byId("viewer-on").addEventListener("click", () => step(at + 1));
  byId("viewer-strength").addEventListener("input", () => show(at));
  byId("viewer-beside").addEventListener("input", () => show(at));
  byId("viewer-in").addEventListener("click", () => look(zoomed(view, 1.5, 0.5, 0.5)));
  byId("viewer-out").addEventListener("click", () => look(zoomed(view, 1 / 1.5, 0.5, 0.5)));
  byId("viewer-whole").addEventListener("click", () => look(WHOLE));

  const stage = byId("viewer-stage");
  stage.addEventListener("wheel", (event) => {
    const place = placeIn(event);
    if (!place) return;
    event.preventDefault();
    look(zoomed(view, event.deltaY < 0 ? 1.25 : 0.8, place.x, place.y));
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => {
    const place = placeIn(event);
    if (place) look(view.scale > 1 ? WHOLE : zoomed(view, 3, place.x, place.y));
  });
  let held = null;
  stage.addEventListener("pointerdown", (event) => {
    held = placeIn(event);
    if (held && view.scale > 1) {
      event.preventDefault();
      stage.setPointerCapture(event.pointerId);
      held = { ...held, fromX: event.clientX, fromY: event.clientY, view };
    } else {
      held = null;
    }
  });
  stage.addEventListener("pointermove", (event) => {
    if (!held) return;
    look(moved(held.view, (event.clientX - held.fromX) / held.area.width,
      (event.clientY - held.fromY) / held.area.height));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, () => { held = null; });
  }

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
