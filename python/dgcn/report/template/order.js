"use strict";
// Which images are shown, and in which order: no access to the page here.

// Score of a image: its mean IoU, or a class's where one is chosen; null where it has none.
function scoreOf(image, choice) {
  const scores = image.scores[choice.training];
  if (!scores) return null;
  const value = choice.label ? scores.classes[choice.label] : scores.mean;
  return value === undefined ? null : value;
}

function isChosen(image, choice) {
  if (choice.split && image.split !== choice.split) return false;
  if (choice.text && !image.name.toLowerCase().includes(choice.text.toLowerCase())) return false;
  if (!choice.label) return true;
  return image.labels.includes(choice.label) || scoreOf(image, choice) !== null;
}

// Indices of the chosen images. Those without a score come last; equals stay in name order.
function orderOf(images, choice) {
  const chosen = images.map((_, index) => index).filter((i) => isChosen(images[i], choice));
  if (choice.sort === "list") return chosen;
  const byName = (a, b) => (images[a].name < images[b].name ? -1 :
    images[a].name > images[b].name ? 1 : a - b);
  if (choice.sort === "name") return chosen.sort(byName);
  const sign = choice.sort === "best" ? -1 : 1;
  return chosen.sort((a, b) => {
    const x = scoreOf(images[a], choice), y = scoreOf(images[b], choice);
    if (x === null || y === null) return (x === null) - (y === null) || byName(a, b);
    return sign * (x - y) || byName(a, b);
  });
}
