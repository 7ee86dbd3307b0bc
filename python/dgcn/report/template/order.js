"use strict";
// What can be computed without the page: orders of images and rows, the zoom.

// Score of an image: the mean IoU of its objects, or a class's where one is chosen; null where it
// has none. Ordered by disagreement it is that of the prediction with its supervision.
function scoreOf(image, choice) {
  const found = choice.sort === "disagree" ? image.agreement : image.scores;
  const scores = found[choice.training];
  if (!scores) return null;
  const value = choice.label ? scores.classes[choice.label] : scores.mean;
  return value === undefined ? null : value;
}

// How many classes a prediction has that are no labels, and the other way round; null: no prediction.
function strayOf(image, choice) {
  const found = image.agreement[choice.training];
  if (!found) return null;
  const counted = [...found.extra, ...found.missing];
  return choice.label ? Number(counted.includes(choice.label)) : counted.length;
}

function isChosen(image, choice) {
  if (choice.split && image.split !== choice.split) return false;
  if (choice.text && !image.name.toLowerCase().includes(choice.text.toLowerCase())) return false;
  if (!choice.label) return true;
  return image.labels.includes(choice.label) || scoreOf(image, choice) !== null ||
    strayOf(image, choice) > 0;
}

// Indices of the chosen images. Those without a score come last; equals stay in name order.
function orderOf(images, choice) {
  const chosen = images.map((_, index) => index).filter((i) => isChosen(images[i], choice));
  if (choice.sort === "list") return chosen;
  const byName = (a, b) => (images[a].name < images[b].name ? -1 :
    images[a].name > images[b].name ? 1 : a - b);
  if (choice.sort === "name") return chosen.sort(byName);
  const sign = choice.sort === "best" || choice.sort === "labels" ? -1 : 1;
  const valueOf = choice.sort === "labels" ? strayOf : scoreOf;
  return chosen.sort((a, b) => {
    const x = valueOf(images[a], choice), y = valueOf(images[b], choice);
    if (x === null || y === null) return (x === null) - (y === null) || byName(a, b);
    return sign * (x - y) || byName(a, b);
  });
}

// Indices of table rows by a column's values, numbers or texts; null comes last, equals keep their
// place.
function rowOrder(values, descending) {
  const sign = descending ? -1 : 1;
  return values.map((_, index) => index).sort((a, b) => {
    const x = values[a], y = values[b];
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    return sign * (x < y ? -1 : x > y ? 1 : 0) || a - b;
  });
}

// A view of a picture after a zoom by a factor about a point of the frame; the frame is from 0 to 1.
// What lies under the point stays there, unless the picture would leave the frame.
function zoomed(view, factor, x, y) {
  const scale = Math.min(16, Math.max(1, view.scale * factor));
  const at = (place, shift) => place - (place - shift) / view.scale * scale;
  return moved({ scale, x: at(x, view.x), y: at(y, view.y) }, 0, 0);
}

// A view moved by a part of the frame; the picture covers the frame.
function moved(view, dx, dy) {
  const within = (shift) => Math.min(0, Math.max(1 - view.scale, shift));
  return { scale: view.scale, x: within(view.x + dx), y: within(view.y + dy) };
}
